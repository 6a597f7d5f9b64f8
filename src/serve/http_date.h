/**
 * @file
 * Points in time as HTTP writes them (RFC 9110, 5.6.7). Pure.
 */
#pragma once

#include "serve/request.h"

#include <stdint.h>

enum { HTTP_DATE_BYTES = 29 };

/** "Sun, 06 Nov 1994 08:49:37 GMT", terminated. Years are 1970 to 9999: what lies outside is moved there. */
void http_date_format(int64_t seconds, char ret[HTTP_DATE_BYTES + 1]);

/** Any of the three forms. @return seconds since 1970; -1: none of them, or no such day or time.
 *  @param now_s  decides which century two digits of a year belong to */
int64_t http_date_parse(struct text text, int64_t now_s);
