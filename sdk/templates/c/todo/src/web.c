/* The page's API. The list itself is with a service: todos.c. */
#include "todos.h"

static struct todo todos[TODOS_MAX];
static char room[1024];

/* Says what became of it, where that was no success. */
static bool failed(int32_t result)
{
    switch (result) {
    case MOTE_NOT_FOUND:
        mote_reply_text(404, "no such entry\n");
        return true;
    case MOTE_INVALID:
        mote_reply_text(400, "an entry has 1 to 120 bytes\n");
        return true;
    case MOTE_LIMIT:
        mote_reply_text(409, "the list is full\n");
        return true;
    default:
        if (result < 0) {
            mote_reply_text(503, "nobody keeps the list just now\n");
        }
        return result < 0;
    }
}

static void write_todo(const struct todo *todo, bool first)
{
    struct mote_text json = mote_text(room, sizeof room);
    mote_put_text(&json, first ? "\n{\"id\":" : ",\n{\"id\":");
    mote_put_number(&json, todo->id);
    mote_put_text(&json, ",\"text\":");
    mote_put_json(&json, todo->text, todo->size);
    mote_put_text(&json, todo->done ? ",\"done\":true}" : ",\"done\":false}");
    mote_write(json.data, json.size);
}

/* GET /api/todos */
MOTE_HANDLER(list)
{
    int32_t size = mote_ask("todos", "all", NULL, 0, todos, sizeof todos, true);
    if (failed(size)) {
        return;
    }
    mote_begin(200, "content-type: application/json\ncache-control: no-store\n");
    mote_write_text("[");
    for (size_t i = 0; i < (size_t)size / sizeof todos[0]; i++) {
        write_todo(&todos[i], i == 0);
    }
    mote_write_text("\n]\n");
}

/* POST /api/todos: the body is the text. */
MOTE_HANDLER(add)
{
    uint32_t id = 0;
    int32_t size = mote_read_all(room, TODO_BYTES);
    int32_t result = size < 0 ? (int32_t)MOTE_INVALID
                              : mote_ask("todos", "add", room, (size_t)size, &id, sizeof id, false);
    if (failed(result)) {
        return;
    }
    struct mote_text json = mote_text(room, sizeof room);
    mote_put_text(&json, "{\"id\":");
    mote_put_number(&json, id);
    mote_put_text(&json, "}\n");
    mote_reply_built(201, "application/json", &json);
}

static uint32_t id_of_path(void)
{
    uint64_t id;
    return mote_param_number("id", &id) && id <= UINT32_MAX ? (uint32_t)id : 0;
}

/* PUT /api/todos/:id with "true" or "false": whether it is done. */
MOTE_HANDLER(set)
{
    struct todo todo = {.id = id_of_path()};
    int32_t size = mote_read_all(room, 5);
    todo.done = size == 4;
    if (size != 4 && size != 5) {
        mote_reply_text(400, "true or false\n");
    } else if (!failed(mote_ask("todos", "set", &todo, sizeof todo, NULL, 0, true))) {
        mote_reply(204, NULL, NULL, 0);
    }
}

/* DELETE /api/todos/:id */
MOTE_HANDLER(remove)
{
    uint32_t id = id_of_path();
    if (!failed(mote_ask("todos", "remove", &id, sizeof id, NULL, 0, false))) {
        mote_reply(204, NULL, NULL, 0);
    }
}

/* GET /api/events: an event whenever the list has changed, for all pages that show it. */
MOTE_HANDLER(events)
{
    struct mote_mail mail;
    mote_join(TODOS_GROUP);
    mote_sse_begin(NULL);
    mote_sse_retry(500);
    do {
        if (mote_sse_data("changed") != MOTE_OK) {
            return;
        }
    } while (mote_receive(&mail, NULL, 0) == MOTE_OK);
}
