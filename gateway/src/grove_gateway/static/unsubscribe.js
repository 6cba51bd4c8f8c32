import { sentences } from "./telling.js";
import { serve } from "./mailed.js";

const button = document.getElementById("confirm");
const { url, done, gone } = button.dataset;

async function send(token) {
  const answer = await fetch(`${url}?token=${encodeURIComponent(token)}`, {
    method: "POST",
    body: new URLSearchParams({ "List-Unsubscribe": "One-Click" }),
  });
  if (answer.ok) return { text: done, done: true };
  const said = { 410: gone, 422: sentences.incomplete }[answer.status];
  if (!said) throw new Error(String(answer.status));
  return { text: said };
}

button.addEventListener("click", serve(button, button, send));
