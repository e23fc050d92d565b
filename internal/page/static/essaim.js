// What a page can do better with a script; without one, everything but passkeys works.
"use strict";

// Buttons that copy the text of the element named in data-copy.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const from = document.getElementById(button.dataset.copy);
  await navigator.clipboard.writeText("value" in from ? from.value : from.textContent.trim());
  button.textContent = button.dataset.done;
});
for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;

// Forms that ask before they do what cannot be undone.
document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.ask ?? event.target.dataset.ask;
  if (question && !window.confirm(question)) event.preventDefault();
});

// Passkeys: the server gives the options, the browser asks the person, the
// server checks the answer and says where to go on.
const toBytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const toText = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body ?? {}) });
  const type = answer.headers.get("Content-Type") ?? "";
  if (answer.redirected || !type.startsWith("application/json")) { window.location.reload(); throw new Error("elsewhere"); }
  const reply = await answer.json();
  if (!answer.ok) throw new Error(reply.wrong);
  return reply;
}

function optionsOf(key) {
  key.challenge = toBytes(key.challenge);
  if (key.user) key.user.id = toBytes(key.user.id);
  for (const list of [key.excludeCredentials, key.allowCredentials]) for (const c of list ?? []) c.id = toBytes(c.id);
  return key;
}

async function passkey(button) {
  const { rite, options } = await post(button.dataset.begin);
  const key = optionsOf(options.publicKey);
  const made = key.user ? await navigator.credentials.create({ publicKey: key }) : await navigator.credentials.get({ publicKey: key });
  const r = made.response, response = { clientDataJSON: toText(r.clientDataJSON) };
  for (const part of ["attestationObject", "authenticatorData", "signature", "userHandle"]) if (r[part]) response[part] = toText(r[part]);
  const path = new URL(button.dataset.passkey, window.location);
  path.searchParams.set("rite", rite);
  const { to } = await post(path, { id: made.id, rawId: toText(made.rawId), type: made.type, response });
  window.location.assign(to);
}

if (window.PublicKeyCredential) for (const button of document.querySelectorAll("[data-passkey]")) {
  button.hidden = false;
  button.addEventListener("click", () => passkey(button).catch((error) => {
    if (error.name === "NotAllowedError" || error.message === "elsewhere") return; // the person changed their mind
    const line = document.createElement("p");
    line.className = "wrong";
    line.setAttribute("role", "alert");
    line.textContent = error.message;
    button.after(line);
  }));
}
