// The password goes to the auth host. Its access token is kept nowhere here: it is swapped for a cookie at once.
import { blame, once, post, tell } from "./telling.js";
import { SecondFactor } from "./second_factor.js";
import { solve } from "./proof.js";

const form = document.getElementById("form");
const first = document.getElementById("first");
const [email, password] = ["email", "password"].map((id) => document.getElementById(id));
const restart = document.getElementById("restart");
const second = new SecondFactor(form.dataset.auth);
let proving = false; // once a proof of work was asked for, it is asked for each time

function show(factor) {
  first.hidden = first.disabled = Boolean(factor);
  restart.hidden = !factor;
  blame(null, [email, password]);
}

function startOver(text, { alarm = true } = {}) {
  show(null);
  second.end();
  password.value = "";
  tell(text, { alarm });
  password.focus();
}

async function captcha() {
  tell("A moment: after wrong passwords, this browser has to solve a riddle…");
  const answer = await fetch(`${form.dataset.auth}/captcha/challenge`);
  if (!answer.ok) throw new Error(String(answer.status));
  return solve(await answer.json(), (tries) => {
    if (tries && tries % 512 === 0) tell(`A moment: this browser solves a riddle, ${tries} tries so far…`);
  });
}

async function login() {
  const body = { email: email.value, password: password.value, refresh: false, device_name: "Operators' pages" };
  const send = async () => {
    const answer = await post(`${form.dataset.auth}/login`, proving ? { ...body, captcha: await captcha() } : body);
    return [answer, await answer.json()];
  };
  const [answer, said] = await send();
  if (proving || said.error?.code !== "CAPTCHA_REQUIRED") return [answer, said];
  proving = true;
  return send();
}

async function open({ access_token }) {
  const answer = await post("/operator/session", undefined, { Authorization: `Bearer ${access_token}` });
  if (answer.ok) location.assign(form.dataset.wanted);
  else startOver((await answer.json()).error.message);
}

async function passwordStep() {
  blame(null, [email, password]);
  const [answer, said] = await login();
  if (answer.ok) return open(said);
  const factor = said.error.details.find((detail) => detail.type === "mfa");
  if (!factor) {
    tell(wordsOf(answer, said), { alarm: true });
    return blame(password);
  }
  show(factor);
  return second.begin(factor);
}

async function codeStep() {
  const answer = await second.verify();
  const said = await answer.json();
  if (answer.ok) return open(said);
  if (said.error.code === "INVALID_TOKEN") {
    return startOver("Too many wrong codes, or too much time went by. Sign in again from the start.");
  }
  return second.refuse(answer.status === 422 ? "A code has six digits, or eight if it was sent." : wordsOf(answer, said));
}

function wordsOf(answer, said) {
  const wait = answer.headers.get("Retry-After");
  if (answer.status === 429 && wait) return `Too many tries. Wait ${wait} seconds, then try again.`;
  return answer.status === 422 ? "Look at the address and the password again." : said.error.message;
}

async function signIn() {
  try {
    await (second.waits ? codeStep() : passwordStep());
  } catch {
    tell("That did not work. Try again in a moment.", { alarm: true });
  }
}

form.addEventListener("submit", once(document.getElementById("send"), signIn));
restart.addEventListener("click", () => startOver("Sign in again from the start.", { alarm: false }));
