/**
 * @file
 * The part of a representation that a client asks for (RFC 9110, 14). Pure.
 */
#pragma once

#include "serve/request.h"

#include <stdint.h>

enum range_result {
    RANGE_WHOLE,         /**< No range that counts: send everything. */
    RANGE_PART,          /**< 206 */
    RANGE_UNSATISFIABLE, /**< 416 */
};

struct range {
    uint64_t offset, length;
};

/** What a Range header means for `size` bytes. Several ranges become one when together they leave no gap; if they
 *  do, or there are very many, the whole is sent, as 14.2 allows. */
enum range_result range_parse(struct text value, uint64_t size, struct range *ret);
