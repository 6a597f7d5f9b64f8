/**
 * @file
 * The content type of a file, by its name. Pure.
 */
#pragma once

#include "serve/request.h"

/** "text/html; charset=utf-8"; what nothing is known of is "application/octet-stream". The case of the ending does
 *  not count. */
const char *mime_type(struct text name);
