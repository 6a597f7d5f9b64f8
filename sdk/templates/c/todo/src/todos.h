/* What web.c and todos.c say to each other. */
#pragma once

#include <mote_app.h>

enum { TODOS_MAX = 100, TODO_BYTES = 120 };

struct todo {
    uint32_t id;
    uint8_t done;
    uint8_t size;
    char text[TODO_BYTES];
};

/* Gets an empty message whenever the list has changed. */
#define TODOS_GROUP "todos"
