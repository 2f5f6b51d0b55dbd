// What the pages share: elements, and requests to the program that answers with sentences.

export const token = document.querySelector('meta[name="caudex-token"]').content;
export const element = (id) => document.getElementById(id);

export function tag(name, text, properties = {}) {
  return Object.assign(document.createElement(name), { textContent: text }, properties);
}

export function notice(sentence) {
  element("notice").textContent = sentence;
  element("notice").hidden = !sentence;
}

// What went wrong, in a sentence for the person at the page.
export class Problem extends Error {}

// GET, or POST where there is a body. What conflicts with a change elsewhere comes with conflict: true.
// `safe` says what is not lost where the program has stopped.
export async function request(path, body, safe = "") {
  const headers = { "Content-Type": "application/json", "X-Caudex-Token": token };
  const options = body === undefined ? {} : { method: "POST", headers, body: JSON.stringify(body) };
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    const sentences = ["The program does not answer; it may have been stopped.", safe, "Start it again and load this page."];
    throw new Problem(sentences.filter(Boolean).join(" "));
  }
  const content = await response.json();
  if (response.status === 409) return { conflict: true, ...content };
  if (!response.ok) throw new Problem(content.error[0].toUpperCase() + content.error.slice(1));
  return content;
}
