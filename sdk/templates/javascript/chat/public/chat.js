"use strict";

const at = id => document.getElementById(id);
const encoder = new TextEncoder();
const names = ["Ant", "Bee", "Crab", "Dove", "Eel", "Fox", "Gnu", "Hare"];
let socket, wait = 250;

at("name").value = localStorage.getItem("name") || names[Math.floor(Math.random() * names.length)];
at("name").addEventListener("change", () => localStorage.setItem("name", at("name").value));

function show(is, text) {
  at("state").dataset.is = is;
  at("state").textContent = text;
}

function add(message) {
  const line = document.createElement("li"), name = document.createElement("b"), text = document.createElement("span");
  name.textContent = message.name;
  text.textContent = message.text;
  line.className = message.name === at("name").value ? "mine" : "";
  line.append(name, text);
  at("log").append(line);
  line.scrollIntoView({block: "nearest"});
}

function connect() {
  socket = new WebSocket(new URL("socket", location.href.replace(/^http/, "ws")));
  socket.onopen = () => { wait = 250; };
  socket.onmessage = event => {
    const message = JSON.parse(event.data);
    show("open", message.here === 1 ? "you are alone" : message.here + " are here");
    if (message.kind === "said") {
      add(message);
    }
  };
  socket.onclose = event => {
    show("lost", event.reason || "connection lost, trying again");
    setTimeout(connect, wait);
    wait = Math.min(2 * wait, 8000);
  };
}

at("say").addEventListener("submit", event => {
  event.preventDefault();
  const name = at("name").value.trim() || names[0], text = at("text").value.trim();
  if (text && socket.readyState === WebSocket.OPEN && encoder.encode(text).length <= 1000) {
    socket.send(name + "\n" + text);
    at("text").value = "";
  }
});

connect();
