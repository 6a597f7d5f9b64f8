/* The service that keeps the list. It does one thing at a time, so nothing here needs a lock; if it crashed it would be started
 * again, with an empty list. */
#include "todos.h"

static struct todo todos[TODOS_MAX];
static size_t count;
static uint32_t last_id;

static void changed(void)
{
    mote_publish(TODOS_GROUP, 0, NULL, 0, NULL);
}

static struct todo *find(uint32_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (todos[i].id == id) {
            return &todos[i];
        }
    }
    return NULL;
}

MOTE_FUNCTION(all)
{
    (void)in, (void)in_size, (void)out, (void)out_capacity;
    mote_answer(mail, todos, count * sizeof todos[0]);
    return MOTE_LATER; /* it is answered already, with more than `out` has room for */
}

MOTE_FUNCTION(add)
{
    (void)mail;
    if (in_size == 0 || in_size > TODO_BYTES) {
        return MOTE_INVALID;
    }
    if (count == TODOS_MAX) {
        return MOTE_LIMIT;
    }
    struct todo *todo = &todos[count++];
    todo->id = ++last_id;
    todo->done = 0;
    todo->size = (uint8_t)in_size;
    __builtin_memcpy(todo->text, in, in_size);
    changed();
    return mote_put(out, out_capacity, &todo->id, sizeof todo->id);
}

MOTE_FUNCTION(set)
{
    struct todo wanted, *todo;
    (void)mail, (void)out, (void)out_capacity;
    if (in_size != sizeof wanted) {
        return MOTE_INVALID;
    }
    __builtin_memcpy(&wanted, in, sizeof wanted);
    todo = find(wanted.id);
    if (todo == NULL) {
        return MOTE_NOT_FOUND;
    }
    todo->done = wanted.done;
    changed();
    return 0;
}

MOTE_FUNCTION(remove)
{
    uint32_t id;
    (void)mail, (void)out, (void)out_capacity;
    if (in_size != sizeof id) {
        return MOTE_INVALID;
    }
    __builtin_memcpy(&id, in, sizeof id);
    struct todo *todo = find(id);
    if (todo == NULL) {
        return MOTE_NOT_FOUND;
    }
    for (struct todo *end = &todos[--count]; todo < end; todo++) {
        *todo = todo[1];
    }
    changed();
    return 0;
}

static const struct mote_function functions[] = {
    {"all", all}, {"add", add}, {"set", set}, {"remove", remove}};
MOTE_SERVICE(todos_service, functions)
