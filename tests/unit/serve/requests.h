/** @file Requests out of text, for tests of what looks at them. */
#pragma once

#include "serve/http1.h"

#include <string.h>

/** A parser with its rules, a request, and what came out. */
struct parsing {
    struct http1_rules rules;
    struct http1 http1;
    struct request request;
    struct bytes body;
    unsigned heads, ends;
    bool bad;
};

/** Begin with limits that are easy to reach: 1,000 bytes and 10 lines of header, a target of 100. */
static inline void parsing_init(struct parsing *parsing)
{
    memset(parsing, 0, sizeof(*parsing));
    http1_rules_init(&parsing->rules, 1000, 10, 100);
    http1_init(&parsing->http1, &parsing->rules);
}

static inline void parsing_fini(struct parsing *parsing)
{
    request_fini(&parsing->request);
    bytes_fini(&parsing->body);
}

/** Feed one piece, up to the end of the first message. Returns how much was used. */
static inline size_t parsing_feed(struct parsing *parsing, const char *data, size_t size)
{
    size_t used = 0;
    while (!parsing->bad && parsing->ends == 0) {
        struct http1_step step = http1_feed(&parsing->http1, &parsing->request, data + used,
                                            size - used);
        used += step.used;
        parsing->heads += step.event == HTTP1_HEAD;
        parsing->ends += step.event == HTTP1_END;
        parsing->bad = step.event == HTTP1_BAD;
        if (step.event == HTTP1_BODY) {
            INVARIANT(bytes_append(&parsing->body, step.body.data, step.body.size));
        }
        if (step.event == HTTP1_MORE) {
            break;
        }
    }
    return used;
}

/** Feed text in pieces of `piece` bytes. */
static inline void parsing_feed_text(struct parsing *parsing, const char *text, size_t piece)
{
    size_t size = strlen(text);
    for (size_t at = 0; at < size && !parsing->bad && parsing->ends == 0; at += piece) {
        parsing_feed(parsing, text + at, size - at < piece ? size - at : piece);
    }
}
