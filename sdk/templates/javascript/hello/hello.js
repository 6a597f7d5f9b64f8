// Loaded once, by `mote build`. Each request runs in a fresh copy of what is here then.
import { param } from "mote";

// GET /
export const index = () => new Response("hello from __NAME__\n");

// GET /hello/:name
export const greet = () => new Response(`hello, ${param("name")}\n`);
