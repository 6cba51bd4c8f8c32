// Proof of work (ALTCHA), which the sign-in service asks for after wrong passwords from a network: find the counter
// whose derived key begins with the challenge's prefix.
const AT_ONCE = 32;

const bytes = (hex) => Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** The solution as the service takes it; `progress(tries)` is called on the way. */
export async function solve(challenge, progress) {
  const { parameters } = challenge;
  const started = performance.now();
  for (let first = 0; Date.now() < parameters.expiresAt * 1000; first += AT_ONCE) {
    progress(first);
    const counters = Array.from({ length: AT_ONCE }, (_, index) => first + index);
    const keys = await Promise.all(counters.map((counter) => derived(parameters, counter)));
    const index = keys.findIndex((key) => key.startsWith(parameters.keyPrefix));
    if (index < 0) continue;
    const solution = { counter: counters[index], derivedKey: keys[index], time: performance.now() - started };
    return btoa(JSON.stringify({ challenge, solution }));
  }
  throw new Error("The challenge has expired.");
}

async function derived({ algorithm, cost, keyLength, nonce, salt }, counter) {
  const secret = new Uint8Array([...bytes(nonce), ...new Uint8Array(4)]);
  new DataView(secret.buffer).setUint32(secret.length - 4, counter);
  const key = await crypto.subtle.importKey("raw", secret, "PBKDF2", false, ["deriveBits"]);
  const how = { name: "PBKDF2", hash: algorithm.split("/")[1], salt: bytes(salt), iterations: cost };
  return hex(await crypto.subtle.deriveBits(how, key, keyLength * 8));
}
