/* Of the component of the tests: how it reads its request and writes its answer. */
#pragma once

#include "wasi_http.h"

enum { BLOCK_BYTES = 64 * 1024 };

struct text {
    const char *data;
    size_t size;
};

/** The answer under way, and whether nobody takes more of it. */
extern handle outparam, body, out;
extern bool closed;

/** The body that is being read. */
extern handle in_body, in;

bool begins(struct text text, const char *with);
bool is(struct text text, const char *other);
void wait_for(handle pollable);
void add(handle fields, const char *name, const void *value, size_t size);
void begin(int32_t status, handle fields);
void begin_text(int32_t status);
void put_bytes(const void *data, size_t size);
void put(const char *text);
void put_number(uint64_t number);
void end_with(int32_t has_trailers, handle trailers);
void end(void);
void answer(int32_t status, const char *text);
void open_body(handle request);
bool read_some(struct text *ret, bool *ret_failed);
uint32_t number_in(struct text text);

/** "/fetch?URL", "/post?URL", "/forget?URL", "/connect?A.B.C.D:PORT", "/bind?A.B.C.D:PORT", "/resolve?NAME". False: none of them. */
bool reach_out(handle request, struct text path);
