// The page's API. The list itself is with a service: todos.js.
import { client, events, param, subscribe } from "mote";

const todos = client("todos");
const STATUS = { "not found": 404, invalid: 400, limit: 409 };

// A handler whose errors of the service become answers.
const answering = (handler) => async (request) => {
    try {
        return await handler(request);
    } catch (error) {
        return new Response(`${error.message}\n`, { status: STATUS[error.code] ?? 503 });
    }
};

const id = () => Number(param("id"));

// GET /api/todos
export const list = answering(async () => Response.json(await todos.all(), { headers: { "cache-control": "no-store" } }));

// POST /api/todos: the body is the text.
export const add = answering(async (request) => Response.json({ id: await todos.add(await request.text()) }, { status: 201 }));

// PUT /api/todos/:id with "true" or "false": whether it is done.
export const set = answering(async (request) => {
    const text = await request.text();
    if (text !== "true" && text !== "false") {
        return new Response("true or false\n", { status: 400 });
    }
    await todos.set({ id: id(), done: text === "true" });
    return new Response(null, { status: 204 });
});

// DELETE /api/todos/:id
export const remove = answering(async () => {
    await todos.remove(id());
    return new Response(null, { status: 204 });
});

// GET /api/events: an event now, and whenever the list has changed.
export const changes = () => events(async function* () {
    const news = subscribe("todos");
    yield { retry: 500, data: "changed" };
    for await (const _ of news) {
        yield { data: "changed" };
    }
});
