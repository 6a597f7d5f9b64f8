/**
 * @file
 * What may stand in a header line of an answer (RFC 9110, 5). Pure.
 */
#pragma once

#include "serve/request.h"

enum field_kind {
    FIELD_PLAIN,
    FIELD_DATE,       /**< Ours is left out when the answer brings its own. */
    FIELD_SERVER,     /**< The same. */
    FIELD_REQUEST_ID, /**< Ours stays, the answer's is dropped. */
    FIELD_CONNECTION, /**< Says how the message is framed: the connection's business alone. */
};

/** Whether the name is a token and the value has no control bytes but tabs, and no white space
 *  around it. */
bool field_is_valid(const struct header *header);

enum field_kind field_kind_of(struct text name);

/** Without the blanks at its ends. */
struct text field_trim(struct text text);

/** The next element of a list (RFC 9110, 5.6.1), trimmed; empty ones are passed over, and a comma within quotes
 *  separates nothing. False: there is none. */
bool field_list_next(struct text *rest, struct text *ret_element);

/** Whether the list has that element; names compare without case (ASCII). */
bool field_list_has(struct text list, const char *element, size_t element_bytes);
