"use strict";
// The password goes to the auth host. Its access token is kept nowhere here: it is swapped for a cookie at once.
const form = document.getElementById("form");
const message = document.getElementById("message");
const send = document.getElementById("send");
const second = document.getElementById("second");
const code = document.getElementById("code");
const value = (id) => document.getElementById(id).value;
let mfaToken = null;

function post(url, body, headers = {}) {
  return fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

async function askForCode({ mfa_token, methods }) {
  mfaToken = mfa_token;
  const ready = methods.includes("totp") || methods.length === 0;
  if (!ready) await post(`${form.dataset.auth}/mfa/challenge`, { mfa_token, method: methods[0] });
  second.hidden = false;
  code.required = true;
  code.focus();
  message.textContent = "Now the code of your second factor.";
}

async function open({ access_token }) {
  const answer = await post("/operator/session", undefined, { Authorization: `Bearer ${access_token}` });
  if (answer.ok) location.assign("/operator");
  else message.textContent = (await answer.json()).error.message;
}

async function signIn(event) {
  event.preventDefault();
  send.disabled = true;
  try {
    const answer = mfaToken
      ? await post(`${form.dataset.auth}/mfa/verify`, { mfa_token: mfaToken, code: value("code") })
      : await post(`${form.dataset.auth}/login`, {
          email: value("email"),
          password: value("password"),
          refresh: false,
          device_name: "Operators' pages",
        });
    const body = await answer.json();
    const factor = answer.ok ? null : body.error.details.find((detail) => detail.type === "mfa");
    if (answer.ok) await open(body);
    else if (factor) await askForCode(factor);
    else message.textContent = body.error.message;
  } catch {
    message.textContent = "That did not work. Try again in a moment.";
  }
  send.disabled = false;
}

form.addEventListener("submit", signIn);
