/* Any bytes are a header of a proxy, the beginning of one, or none; more bytes never change what a whole one
 * says, and the beginning of a whole one is not refused. */
#include "serve/proxy.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct proxy_header header, sooner;
    enum proxy_result result = proxy_parse(data, size_bytes, &header);
    if (result != PROXY_WHOLE) {
        INVARIANT(result == PROXY_BAD || size_bytes < PROXY_HEADER_BYTES_MAX);
        return 0;
    }
    INVARIANT(header.size_bytes <= size_bytes);
    INVARIANT(header.size_bytes <= PROXY_HEADER_BYTES_MAX);
    INVARIANT(proxy_parse(data, header.size_bytes, &sooner) == PROXY_WHOLE);
    INVARIANT(header.known == sooner.known && header.secure == sooner.secure);
    INVARIANT(memcmp(&header.client, &sooner.client, sizeof(header.client)) == 0);
    for (size_t i = 0; i < header.size_bytes; i++) {
        INVARIANT(proxy_parse(data, i, &sooner) == PROXY_MORE);
    }
    if (header.known) {
        char text[IP_TEXT_BYTES];
        struct ip again;
        uint16_t port;
        ip_format_endpoint(&header.client, header.client_port, text);
        INVARIANT(ip_parse_endpoint(text, strlen(text), &again, &port));
        INVARIANT(memcmp(&again, &header.client, sizeof(again)) == 0 && port == header.client_port);
    }
    return 0;
}
