/* What the room and those who talk to it agree on. */
#include <mote.h>

/* The group that hears each message: the label is its id, the body its JSON. */
#define ROOM_GROUP "chat"

enum { ROOM_NAME_BYTES = 32, ROOM_TEXT_BYTES = 400, ROOM_JSON_BYTES = 3072 };

/* room#say takes this and answers with the message's id. */
struct room_said {
    char via[4]; /* "sse", "ws" */
    char name[ROOM_NAME_BYTES];
    char text[ROOM_TEXT_BYTES];
};

/* room#since takes an id and answers with each later message that it still has: this, and the JSON. */
struct room_entry {
    uint64_t id;
    uint32_t size, reserved;
};
