import { post, sentences } from "./telling.js";
import { serve } from "./mailed.js";

const button = document.getElementById("confirm");
const { url, done, gone, taken } = button.dataset;

async function send(token) {
  const answer = await post(url, { token });
  if (answer.ok) return { text: done, done: true };
  const said = { 409: taken, 410: gone, 422: sentences.incomplete }[answer.status];
  if (!said) throw new Error(String(answer.status));
  return { text: said };
}

button.addEventListener("click", serve(button, button, send));
