// The second step of a sign-in: which factor, and its code.
import { blame, post, tell } from "./telling.js";

const WAYS = {
  totp: ["Authenticator app", "Now the code of your authenticator app."],
  sms: ["Code by SMS", "We sent a code to your phone."],
  email: ["Code by mail", "We sent a code to your address."],
  backup_code: ["Backup code", "Now one of your backup codes."],
};
const SENT = ["sms", "email"];

const part = document.getElementById("second");
const method = document.getElementById("method");
const code = document.getElementById("code");
const resend = document.getElementById("resend");

export class SecondFactor {
  #auth;
  #token = null;
  #sent = new Set();

  constructor(auth) {
    this.#auth = auth;
    method.addEventListener("change", () => this.#ask());
    resend.addEventListener("click", () => this.#ask({ anew: true }));
  }

  /** Whether a sign-in waits for its second factor. */
  get waits() {
    return this.#token !== null;
  }

  begin({ mfa_token, methods }) {
    this.#token = mfa_token;
    this.#sent.clear();
    method.replaceChildren(...methods.map((way) => new Option(WAYS[way]?.[0] ?? way, way)));
    part.hidden = part.disabled = false;
    return this.#ask();
  }

  end() {
    this.#token = null;
    code.value = "";
    blame(null, [code]);
    part.hidden = part.disabled = true;
  }

  verify() {
    blame(null, [code]);
    const typed = code.value.trim();
    const isBackup = method.value === "backup_code" || /[a-z]/i.test(typed);
    const proof = isBackup ? { backup_code: typed } : { code: typed.replace(/\s/g, "") };
    return post(`${this.#auth}/mfa/verify`, { mfa_token: this.#token, ...proof });
  }

  refuse(text) {
    tell(text, { alarm: true });
    code.value = "";
    blame(code);
  }

  async #ask({ anew = false } = {}) {
    const way = method.value;
    const isSent = SENT.includes(way);
    resend.hidden = !isSent;
    code.inputMode = way === "backup_code" ? "text" : "numeric";
    code.value = "";
    blame(null, [code]);
    tell(isSent ? "A moment…" : WAYS[way][1]);
    if (isSent && (anew || !this.#sent.has(way)) && !(await this.#send(way))) return;
    tell(WAYS[way][1]);
    code.focus();
  }

  async #send(way) {
    const answer = await post(`${this.#auth}/mfa/challenge`, { mfa_token: this.#token, method: way }).catch(() => null);
    if (answer?.ok) this.#sent.add(way);
    else tell("No code could be sent. Try again in a moment, or choose another way.", { alarm: true });
    return Boolean(answer?.ok);
  }
}
