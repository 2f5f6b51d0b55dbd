// The page of labels. The program holds the queue; this page shows one image of it, by number.

import { Problem, element, notice, request as ask, tag, token } from "./page.js";

const page = element("page");
const pastKey = `past-${token}`; // a program that was started anew knows nothing of it
const past = JSON.parse(sessionStorage.getItem(pastKey) ?? "[]"); // what this tab did, to be undone
const previews = new Map(); // number of the image -> a promise of {url} or {error}
const KEPT_PREVIEWS = 12;
let queue, item;
let edits = null; // of the table by others, that the page has reported

const request = (path, body) => ask(path, body, "All labels that were given are in the table.");

function preview(number) {
  if (!previews.has(number)) {
    previews.set(number, fetchPreview(number));
    for (const old of previews.keys()) {
      if (previews.size <= KEPT_PREVIEWS) break;
      previews.get(old).then(({ url }) => url && URL.revokeObjectURL(url));
      previews.delete(old);
    }
  }
  return previews.get(number);
}

async function fetchPreview(number) {
  try {
    const response = await fetch(`/images/${number}`);
    if (response.ok) return { url: URL.createObjectURL(await response.blob()) };
    previews.delete(number); // the file may come back
    return { error: (await response.json()).error };
  } catch {
    previews.delete(number);
    return { error: "the program does not answer." };
  }
}

// -- what is seen ------------------------------------------------------------------------------------------------------

const setState = (state) => {
  page.dataset.state = state;
  for (const button of document.querySelectorAll(".class, #accept")) button.disabled = state === "unreadable" || state === "end";
  element("undo").disabled = past.length === 0;
};

function drawClasses() {
  const buttons = queue.classes.map(({ name, text, key }) => {
    const button = tag("button", "", { type: "button", className: "class" });
    if (key) button.setAttribute("aria-keyshortcuts", key);
    button.append(tag("kbd", key || "·"), tag("span", text), tag("small", "0"));
    button.addEventListener("click", () => act(() => label(name)));
    return button;
  });
  element("classes").replaceChildren(...buttons);
}

function textOf(name) {
  return queue.classes.find((entry) => entry.name === name)?.text ?? name;
}

function drawItem() {
  const { number, label, suggestion, reason, queue_label: before } = item;
  const done = queue.total - item.open;
  element("position").textContent = `image ${(number + 1).toLocaleString("en")} of ${queue.total.toLocaleString("en")} · ${done.toLocaleString("en")} done`;
  element("progress").max = queue.total;
  element("progress").value = done;
  element("name").replaceChildren(tag("bdi", item.name, { title: item.name }), tag("strong", label ? textOf(label) : ""));
  const isClass = queue.classes.some(({ name }) => name === suggestion);
  const reasons = [before && before !== label ? `The queue calls it ${textOf(before)}.` : "", !isClass && suggestion ? `Suggested: ${suggestion}.` : "", reason];
  element("accept").hidden = !isClass;
  element("suggestion").textContent = isClass ? `Accept ${textOf(suggestion)}` : "";
  element("reason").textContent = reasons.filter(Boolean).join(" ");
  element("advice").hidden = !queue.advised; // it keeps its place, so that the classes keep theirs
  document.querySelectorAll(".class").forEach((button, i) => {
    button.setAttribute("aria-pressed", queue.classes[i].name === label);
    button.querySelector("small").textContent = item.counts[i].toLocaleString("en");
  });
  if (edits !== null && item.edits > edits) notice(item.edit);
  edits = item.edits;
}

function drawPreview({ url, error }) {
  if (error) {
    const message = tag("div", "", { className: "message" });
    message.append(tag("h2", "Not shown"), tag("p", error[0].toUpperCase() + error.slice(1)), tag("p", "Skip it with s.", { className: "quiet" }));
    element("frame").replaceChildren(message);
    return null;
  }
  const image = tag("img", "", { alt: item.name, decoding: "async" });
  image.addEventListener("load", () => image.classList.toggle("tiny", Math.max(image.naturalWidth, image.naturalHeight) <= 128));
  image.src = url;
  element("frame").replaceChildren(image);
  return image.decode().catch(() => {});
}

function announce() {
  const parts = [`Image ${item.number + 1} of ${queue.total}, ${item.name}.`];
  if (item.label) parts.push(`Labelled ${textOf(item.label)}.`);
  if (item.suggestion) parts.push(`Suggested: ${textOf(item.suggestion)}.`);
  element("announcement").textContent = [...parts, element("reason").textContent].join(" ");
}

// -- what is done ------------------------------------------------------------------------------------------------------

async function show(number) {
  setState("loading");
  let image;
  [item, image] = await Promise.all([request(`/items/${number}`), preview(number)]);
  if (item.missing) image = { error: "the file is no longer there." }; // it may have been fetched ahead
  history.replaceState(null, "", `#${number + 1}`);
  drawItem();
  await drawPreview(image);
  announce();
  setState(image.error ? "unreadable" : "ready");
  item.following.forEach(preview);
}

function showEnd() {
  const message = tag("div", "", { className: "message" });
  if (item.open) {
    const count = item.open === 1 ? "1 image is" : `${item.open.toLocaleString("en")} images are`;
    const again = tag("button", "Go through them ", { type: "button" });
    again.append(tag("kbd", "↵"));
    again.addEventListener("click", () => act(() => show(item.first_open)));
    message.append(tag("h2", "The end of the queue"), tag("p", `${count} still without a decision.`, { className: "quiet" }), again);
  } else {
    message.append(tag("h2", "All done"), tag("p", "Every image of the queue has its label. Stop the program with Ctrl-C; it names the next command.", { className: "quiet" }));
  }
  element("frame").replaceChildren(message);
  element("name").replaceChildren();
  element("accept").hidden = true;
  element("reason").textContent = "";
  element("announcement").textContent = message.textContent;
  setState("end");
}

const showNext = ({ following: [next] }) => (next === undefined ? showEnd() : show(next));

function remember(step) {
  past.push(step);
  sessionStorage.setItem(pastKey, JSON.stringify(past.slice(-1000)));
}

async function label(name) {
  const { number, label: previous } = item;
  setState("saving");
  const answer = await request("/labels", { number, label: name, previous });
  if (answer.conflict) {
    item = answer.item;
    drawItem();
    notice(`Meanwhile this image was ${item.label ? `labelled ${textOf(item.label)}` : "left without a label"} elsewhere. Nothing was changed; choose again to change it.`);
    setState("ready");
    return;
  }
  remember({ number, label: name, previous });
  item = answer;
  drawItem();
  await showNext(answer);
}

async function skip() {
  remember({ number: item.number });
  await showNext(item);
}

async function undo() {
  const step = past.pop();
  if (!step) return;
  sessionStorage.setItem(pastKey, JSON.stringify(past));
  let conflict = false;
  if (step.label !== undefined) {
    ({ conflict } = await request("/labels", { number: step.number, label: step.previous, previous: step.label, undo: true }));
  }
  await show(step.number);
  if (conflict) notice("This image was labelled elsewhere meanwhile; that label was not undone.");
}

const isEnd = () => page.dataset.state === "end";
const isReady = () => page.dataset.state === "ready";
const commands = {
  back: () => show(isEnd() ? item.number : Math.max(0, item.number - 1)),
  forward: () => (item.number + 1 < queue.total ? show(item.number + 1) : showEnd()),
  undo,
  skip: () => isEnd() || skip(),
  accept: () => {
    if (isEnd()) return item.open ? show(item.first_open) : null;
    return isReady() && !element("accept").hidden ? label(item.suggestion) : null;
  },
};
const keys = { ArrowLeft: "back", ArrowRight: "forward", u: "undo", Backspace: "undo", s: "skip", " ": "skip", Enter: "accept" };

// One thing at a time: a key that comes before the next image is seen is not taken for it.
let acting = false;
async function act(command) {
  if (acting) return;
  acting = true;
  notice("");
  try {
    await command();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    notice(error.message);
    if (item) setState("ready");
  } finally {
    acting = false;
  }
}

document.addEventListener("keydown", (event) => {
  const onButton = event.target.closest("button") && (event.key === "Enter" || event.key === " ");
  if (!queue || onButton || event.ctrlKey || event.metaKey || event.altKey) return;
  const digit = event.shiftKey ? null : /^Digit([1-9])$/.exec(event.code); // also where digits need Shift
  const key = digit ? digit[1] : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const chosen = queue.classes.find((entry) => entry.key && entry.key === key);
  if (!chosen && !keys[key]) return;
  event.preventDefault();
  if (event.repeat && !key.startsWith("Arrow")) return;
  if (!chosen) act(commands[keys[key]]);
  else if (isReady()) act(() => label(chosen.name));
});
for (const name of Object.keys(commands)) element(name).addEventListener("click", () => act(commands[name]));
document.addEventListener("click", (event) => {
  if (event.detail > 0) element("stage").focus({ preventScroll: true }); // else Space would press the same button again
});
window.addEventListener("focus", () => {
  if (isReady() && !acting) act(async () => { item = await request(`/items/${item.number}`); drawItem(); });
});

await act(async () => {
  queue = await request("/queue");
  drawClasses();
  const wanted = Number.parseInt(location.hash.slice(1), 10) - 1;
  const start = wanted >= 0 && wanted < queue.total ? wanted : queue.start;
  await show(start ?? 0);
  if (start === null) showEnd();
});
