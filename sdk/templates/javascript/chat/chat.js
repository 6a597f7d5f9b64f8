// Each client has a process of its own, which lives as long as its WebSocket. All are in one group: what a client sends is
// published there, and comes to each process as mail.
import { join, leave, members, publish } from "mote";

const ROOM = "room";
const NAME_MAX = 40;
const TEXT_MAX = 1000;

// To all: somebody said something, or so many are here now.
const tell = (kind, name = "", text = "") => publish(ROOM, kind, { kind, name, text, here: members(ROOM).length });

// WS /socket
export const socket = {
    open() {
        join(ROOM);
        tell("here");
    },

    // A name, a line break, a text.
    message(client, data) {
        const [, name, text] = (typeof data === "string" && /^([^\n]+)\n([^]+)$/.exec(data)) || [];
        if (name === undefined || name.length > NAME_MAX || text.length > TEXT_MAX) {
            client.close(4000, "a name, a line break and a text are wanted");
            return;
        }
        tell("said", name, text);
    },

    // What was published, as it is.
    mail(client, mail) {
        if (mail.kind === "send") {
            client.send(mail.text());
        }
    },

    close() {
        leave(ROOM);
        tell("here");
    },
};
