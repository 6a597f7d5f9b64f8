/** @file An HTTP client for tests: sends any bytes, reads answers. */
#pragma once

#include "../base/cmocka_all.h"

#include "base/bytes.h"

#include <stdio.h>
#include <string.h>

struct client {
    int fd;
    struct bytes in;
};

struct answer {
    unsigned status; /**< 0: the connection ended before a whole head had come. */
    char head[4096];
    struct bytes body;
    bool whole; /**< The body ended as its head had announced. */
};

/** Connect to what server_address() says. */
struct client client_connect(const char *address);
void client_close(struct client *client);

/** Close so that the server gets a reset. */
void client_reset(struct client *client);

/** Wait until the server's side of the connection has all that was sent: on a busy machine the kernel
 *  delivers later. Only where the server's buffers have room for it. */
void client_wait_delivered(const struct client *client);

void client_send(struct client *client, const void *data, size_t size);
void client_send_text(struct client *client, const char *text);

/** Read one answer; `head_only` for HEAD. answer_fini() is due. */
struct answer client_read(struct client *client, bool head_only);
void answer_fini(struct answer *answer);

/** Whether the server has closed: nothing more comes. Waits for it. */
bool client_is_closed(struct client *client);

/** Send text, expect one answer with this status and body (NULL: any). */
void client_expect(struct client *client, const char *text, unsigned status, const char *body);

/** Whether a head has this line (without its end). */
bool answer_has(const struct answer *answer, const char *line);
