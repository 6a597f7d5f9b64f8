#include "serve/notice.h"

#include "serve/dispatch.h"

#include <string.h>

static bool takes_html(const struct request *request)
{
    static const char html[] = "text/html";
    const struct header *accept = request_header(request, "accept", 6);
    return request->method == METHOD_GET && accept != NULL &&
           memmem(accept->value.data, accept->value.size, html, strlen(html)) != NULL;
}

bool notice_reply(const char *path, struct exchange *exchange)
{
    static const struct header headers[] = {
        {.name = {"Content-Type", 12}, .value = {"text/html; charset=utf-8", 24}},
        {.name = {"Cache-Control", 13}, .value = {"no-store", 8}},
    };
    AUTO(bytes_finip) struct bytes page = {0};
    struct err none = {0};
    if (!takes_html(&exchange->request) || !bytes_read_file(&page, path, NOTICE_BYTES_MAX, &none) ||
        !bytes_terminate(&page)) {
        return false;
    }
    dispatch_reply(exchange, 500, (const char *)page.data, headers, ARRAY_LENGTH(headers));
    return true;
}
