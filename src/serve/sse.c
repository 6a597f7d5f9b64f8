#include "serve/sse.h"

#include "base/number.h"

#include <string.h>

/* The lines of an event, in this order. */
enum field { FIELD_EVENT, FIELD_ID, FIELD_RETRY, FIELD_DATA, FIELD_COMMENT, FIELD_END, FIELD_OVER };

static bool holds(const struct text *text, char byte)
{
    return text->size > 0 && memchr(text->data, byte, text->size) != NULL;
}

enum sse_check sse_check(const struct sse_event *event)
{
    if (event->event.size > SSE_NAME_BYTES_MAX || event->id.size > SSE_NAME_BYTES_MAX) {
        return SSE_TOO_LONG;
    }
    bool nothing = event->event.size == 0 && event->id.data == NULL &&
                   event->retry_ms == SSE_NO_RETRY && event->data.data == NULL &&
                   event->comment.data == NULL;
    if (nothing || event->retry_ms < SSE_NO_RETRY || holds(&event->event, '\n') ||
        holds(&event->event, '\r') || holds(&event->id, '\n') || holds(&event->id, '\r') ||
        holds(&event->id, '\0')) {
        return SSE_INVALID;
    }
    return SSE_GOOD;
}

/* What a line begins with and what it says; a text without data: there is no such line. `digits` is where a number is made. */
static struct text line_of(const struct sse_event *event, enum field field, char digits[20],
                           struct text *ret_value)
{
    static const struct text none = {NULL, 0};
    switch (field) {
    case FIELD_EVENT:
        *ret_value = event->event;
        return event->event.size > 0 ? (struct text){"event: ", 7} : none;
    case FIELD_ID:
        *ret_value = event->id;
        return event->id.data != NULL ? (struct text){"id: ", 4} : none;
    case FIELD_RETRY:
        if (event->retry_ms == SSE_NO_RETRY) {
            return none;
        }
        *ret_value = (struct text){digits, number_format((uint64_t)event->retry_ms, digits)};
        return (struct text){"retry: ", 7};
    case FIELD_DATA:
        *ret_value = event->data;
        return event->data.data != NULL ? (struct text){"data: ", 6} : none;
    case FIELD_COMMENT:
        *ret_value = event->comment;
        return event->comment.data != NULL ? (struct text){": ", 2} : none;
    case FIELD_END:
        *ret_value = (struct text){"", 0};
        return (struct text){"", 0};
    case FIELD_OVER:
        break;
    }
    BUG("line %d of an event", (int)field);
}

/* Looked through at a time, so that short lines with one kind of break only do not make one look far for the other. */
enum { STRIDE = 256 };

/* How many bytes, of at most `size`, come before a line break. */
static size_t run_length(const char *data, size_t size)
{
    for (size_t done = 0; done < size; done += STRIDE) {
        size_t bite = size - done < STRIDE ? size - done : STRIDE;
        const char *feed = memchr(data + done, '\n', bite);
        size_t before = feed != NULL ? (size_t)(feed - (data + done)) : bite;
        const char *carriage = memchr(data + done, '\r', before);
        if (carriage != NULL || feed != NULL) {
            return (size_t)((carriage != NULL ? carriage : feed) - data);
        }
    }
    return size;
}

/* As much of one line as fits. Returns whether the line is over; then the cursor is at the next one. */
static bool write_line(struct text label, struct text value, struct sse_cursor *cursor, char *out,
                       size_t capacity, size_t *used)
{
    size_t left = capacity - *used;
    size_t bite = label.size - cursor->label;
    bite = bite < left ? bite : left;
    if (bite > 0) {
        memcpy(out + *used, label.data + cursor->label, bite);
        cursor->label += (uint32_t)bite;
        *used += bite;
    }
    left = capacity - *used;
    bite = value.size - cursor->value;
    bite = bite < left ? bite : left;
    if (bite > 0) {
        bite = run_length(value.data + cursor->value, bite);
        memcpy(out + *used, value.data + cursor->value, bite);
        cursor->value += bite;
        *used += bite;
    }
    if (*used == capacity) {
        return false;
    }
    out[(*used)++] = '\n';
    cursor->label = 0;
    if (cursor->value == value.size) {
        cursor->field++;
        cursor->value = 0;
        return true;
    }
    /* One break for LF, CR and CR LF. */
    bool carriage = value.data[cursor->value++] == '\r';
    if (carriage && cursor->value < value.size && value.data[cursor->value] == '\n') {
        cursor->value++;
    }
    return true;
}

size_t sse_write(const struct sse_event *event, struct sse_cursor *cursor, char *out,
                 size_t capacity)
{
    size_t used = 0;
    while (cursor->field != FIELD_OVER) {
        char digits[20];
        struct text value;
        struct text label = line_of(event, (enum field)cursor->field, digits, &value);
        if (label.data == NULL) {
            cursor->field++;
        } else if (!write_line(label, value, cursor, out, capacity, &used)) {
            break;
        }
    }
    return used;
}
