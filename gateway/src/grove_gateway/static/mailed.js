// The token is in the fragment, which no server and no mail scanner sees; it is sent when a person clicks.
import { blame, once, sentences, tell } from "./telling.js";

const invitation = document.getElementById("message").textContent;

/**
 * What a mailed link is for. `part` is there while the link is good for something, `button` acts. `ask(token)` says what
 * became of it: `text`, `done` when it is as wanted, `again` when it can be tried again, `field` when that is wrong.
 */
export function serve(part, button, ask) {
  let token = null;

  function read() {
    token = new URLSearchParams(location.hash.slice(1)).get("token");
    part.hidden = !token;
    tell(token ? invitation : sentences.incomplete, { alarm: !token });
  }

  async function act() {
    const asked = token;
    const said = await ask(asked).catch(() => ({ text: sentences.failed, again: true }));
    if (asked !== token) return; // a newer link was opened meanwhile
    part.hidden = !said.again;
    tell(said.text, { alarm: !said.done, focus: part.hidden });
    if (said.field) blame(said.field);
  }

  addEventListener("hashchange", read); // a newer link, in the same tab
  read();
  return once(button, act);
}
