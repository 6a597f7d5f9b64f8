/* Any headers about the client are either refused or name somebody; what stands left of an address that is no
 * proxy changes nothing. The first byte of the input says which header it is. */
#include "serve/forwarded.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static const struct cidr BLOCKS[] = {{.ip = {.bytes = {10}}, .bits = 8}};
static const struct forwarders FORWARDERS = {BLOCKS, ARRAY_LENGTH(BLOCKS)};

static const char *apply(struct request *request, const struct header *headers, size_t count)
{
    *request = (struct request){.headers = headers, .header_count = count, .remote = "10.0.0.1:9"};
    const char *wrong = forwarded_apply(request, &FORWARDERS);
    INVARIANT(memchr(request->remote, 0, sizeof(request->remote)) != NULL);
    struct ip ip;
    uint16_t port;
    INVARIANT(ip_parse_endpoint(request->remote, strlen(request->remote), &ip, &port));
    return wrong;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const struct text names[] = {
        {"Forwarded", 9}, {"X-Forwarded-For", 15}, {"X-Forwarded-Proto", 17}};
    static const struct text values[] = {
        {"for=192.0.2.7;proto=https", 25}, {"192.0.2.7", 9}, {"https", 5}};
    struct request request;
    if (size_bytes == 0) {
        return 0;
    }
    size_t kind = data[0] % ARRAY_LENGTH(names);
    struct text value = {(const char *)data + 1, size_bytes - 1};
    struct header headers[3] = {{names[kind], value}};
    const char *wrong = apply(&request, headers, 1);
    INVARIANT(wrong == NULL || wrong[0] != '\0');
    if (kind == 2) {
        return 0;
    }
    headers[1] = (struct header){names[kind], values[kind]};
    wrong = apply(&request, headers, 2);
    INVARIANT(wrong != NULL || strcmp(request.remote, "192.0.2.7:0") == 0);
    INVARIANT(wrong == NULL || kind == 0);
    return 0;
}
