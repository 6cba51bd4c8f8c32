import { once, post, tell } from "./telling.js";

const { url, queue } = document.getElementById("replaying").dataset;
const count = document.getElementById("count");
const buttons = () => [...document.querySelectorAll("button.replay")];
const sections = () => [...document.querySelectorAll("section.letter")];

const letters = (number) => (number === 1 ? "1 letter" : `${number} letters`);

/** What the page shows is what is still there, as far as it knows. */
function done(button, { replayed, left }) {
  const { id } = button.dataset;
  if (id) (button.closest("section") ?? button).remove();
  else sections().forEach((each) => each.remove());
  if (!id || !sections().length) buttons().forEach((each) => each.remove());
  if (count) count.textContent = left ? `${letters(left)} in ${queue} now, ${sections().length} of them here.` : `There are none in ${queue} any more.`;
  tell(`${letters(replayed)} handed back, ${letters(left)} in the queue now.`, { focus: true });
}

async function replay(button) {
  const { id } = button.dataset;
  try {
    const answer = await post(url, { queue, ids: id ? [id] : null });
    const body = await answer.json();
    if (answer.ok) done(button, body);
    else tell(body.error.message, { alarm: true });
  } catch {
    tell("No answer came. Look again before you repeat it; repeating does no harm.", { alarm: true });
  }
}

for (const button of buttons()) button.addEventListener("click", once(button, () => replay(button)));
