// The service that keeps the list: one process, which answers calls one after the other. If it crashed it would be started
// again, with an empty list.
import { Failure, publish, service } from "mote";

const TODOS_MAX = 100;
const TEXT_MAX = 120;

const todos = [];
let last = 0;

// All pages that are open hear of it.
const changed = () => publish("todos", "changed");

const find = (id) => {
    const at = todos.findIndex((one) => one.id === id);
    if (at < 0) {
        throw new Failure("not found", "no such entry");
    }
    return at;
};

export const keeper = service({
    all: () => todos,

    add(text) {
        if (typeof text !== "string" || text === "" || text.length > TEXT_MAX) {
            throw new Failure("invalid", `an entry has 1 to ${TEXT_MAX} characters`);
        }
        if (todos.length === TODOS_MAX) {
            throw new Failure("limit", "the list is full");
        }
        todos.push({ id: ++last, text, done: false });
        changed();
        return last;
    },

    set({ id, done }) {
        todos[find(id)].done = done;
        changed();
    },

    remove(id) {
        todos.splice(find(id), 1);
        changed();
    },
});
