"use strict";
const { url, queue } = document.currentScript.dataset;
const message = document.getElementById("message");
const buttons = [...document.querySelectorAll("button.replay")];

const letters = (count) => (count === 1 ? "1 letter" : `${count} letters`);

function done(button, { replayed, left }) {
  message.textContent = `${letters(replayed)} handed back, ${letters(left)} in the queue now.`;
  const section = button.closest("section");
  if (section) section.remove();
  else if (!button.dataset.id) document.querySelectorAll("section.letter").forEach((each) => each.remove());
  message.setAttribute("tabindex", "-1");
  message.focus();
}

async function replay(button) {
  const { id } = button.dataset;
  buttons.forEach((each) => (each.disabled = true));
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ queue, ids: id ? [id] : null }),
    });
    const body = await answer.json();
    if (answer.ok) done(button, body);
    else message.textContent = body.error.message;
  } catch {
    message.textContent = "No answer came. Look again before you repeat it; repeating does no harm.";
  }
  buttons.forEach((each) => (each.disabled = false));
}

for (const button of buttons) button.addEventListener("click", () => replay(button));
