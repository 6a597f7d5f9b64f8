"use strict";

const at = id => document.getElementById(id);

async function ask(method, path, body) {
  const answer = await fetch("api/todos" + path, {method, body});
  if (!answer.ok) {
    throw new Error(await answer.text());
  }
  return answer;
}

/* What was wrong stays until something works. */
async function act(method, path, body) {
  try {
    await ask(method, path, body);
    await show();
  } catch (error) {
    at("state").textContent = error.message;
  }
}

function entry(todo) {
  const line = document.createElement("li"), label = document.createElement("label");
  const box = document.createElement("input"), text = document.createElement("span"), remove = document.createElement("button");
  box.type = "checkbox";
  box.checked = todo.done;
  box.onchange = () => act("PUT", "/" + todo.id, String(box.checked));
  text.textContent = todo.text;
  remove.textContent = "Remove";
  remove.onclick = () => act("DELETE", "/" + todo.id);
  label.append(box, text);
  line.append(label, remove);
  return line;
}

/* Answers may come in another order than they were asked for: an older one is not shown over a newer. */
let asked = 0, shown = 0;

async function show() {
  const number = ++asked, todos = await (await ask("GET", "")).json();
  if (number < shown) {
    return;
  }
  shown = number;
  at("list").replaceChildren(...todos.map(entry));
  const open = todos.filter(todo => !todo.done).length;
  at("state").textContent = todos.length === 0 ? "Nothing is to be done." : `${open} of ${todos.length} to be done`;
}

at("add").addEventListener("submit", event => {
  event.preventDefault();
  const text = at("text").value.trim();
  if (text) {
    at("text").value = "";
    act("POST", "", text);
  }
});

/* The first event comes at once, and one after each change, whoever made it. */
new EventSource("api/events").onmessage = () => show().catch(error => { at("state").textContent = error.message; });
