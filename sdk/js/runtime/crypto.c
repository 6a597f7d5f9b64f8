/* What crypto.subtle (web/crypto.js) computes with: Mbed TLS's hashes, and AES. Sizes are checked there, and here again where
 * memory depends on them. */
#include "runtime.h"

#include <mbedtls/aes.h>
#include <mbedtls/gcm.h>
#include <mbedtls/hkdf.h>
#include <mbedtls/md.h>
#include <mbedtls/pkcs5.h>
#include <stdlib.h>
#include <string.h>

enum { ARGUMENTS_MAX = 5, BLOCK = 16, TAG_MAX = 16 };

/* The bytes of the arguments from `first` on. False: an exception is pending, and there is nothing to free. */
static bool inputs_get(JSContext *ctx, JSValueConst *argv, int first, int count,
                       struct bytes ret[ARGUMENTS_MAX])
{
    for (int i = 0; i < count; i++) {
        if (!bytes_get(ctx, argv[first + i], &ret[i])) {
            while (i-- > 0) {
                bytes_free(ctx, &ret[i]);
            }
            return false;
        }
    }
    return true;
}

static void inputs_free(JSContext *ctx, int count, struct bytes inputs[ARGUMENTS_MAX])
{
    while (count-- > 0) {
        bytes_free(ctx, &inputs[count]);
    }
}

static const mbedtls_md_info_t *hash_get(JSContext *ctx, JSValueConst bits)
{
    uint32_t number = 0;
    if (JS_ToUint32(ctx, &number, bits) != 0) {
        return NULL;
    }
    const mbedtls_md_info_t *hash = mbedtls_md_info_from_type(number == 1     ? MBEDTLS_MD_SHA1
                                                              : number == 256 ? MBEDTLS_MD_SHA256
                                                              : number == 384 ? MBEDTLS_MD_SHA384
                                                              : number == 512 ? MBEDTLS_MD_SHA512
                                                                              : MBEDTLS_MD_NONE);
    if (hash == NULL) {
        JS_ThrowRangeError(ctx, "there is no such hash");
    }
    return hash;
}

/* An array of what was made, whose memory is taken; null: it failed. */
static JSValue result_bytes(JSContext *ctx, uint8_t *made, size_t size, int failed)
{
    JSValue result = made == NULL  ? JS_ThrowOutOfMemory(ctx)
                     : failed != 0 ? JS_NULL
                                   : JS_NewUint8ArrayCopy(ctx, made, size);
    free(made);
    return result;
}

/* digest(1 | 256 | 384 | 512, data) */
NATIVE(digest)
{
    uint8_t made[MBEDTLS_MD_MAX_SIZE];
    struct bytes data;
    const mbedtls_md_info_t *hash = hash_get(ctx, argv[0]);
    if (hash == NULL || !bytes_get(ctx, argv[1], &data)) {
        return JS_EXCEPTION;
    }
    int failed = mbedtls_md(hash, data.data, data.size, made);
    bytes_free(ctx, &data);
    return failed != 0 ? JS_NULL : JS_NewUint8ArrayCopy(ctx, made, mbedtls_md_get_size(hash));
}

/* hmac(hash, key, data) */
NATIVE(hmac)
{
    uint8_t made[MBEDTLS_MD_MAX_SIZE];
    struct bytes inputs[ARGUMENTS_MAX];
    const mbedtls_md_info_t *hash = hash_get(ctx, argv[0]);
    if (hash == NULL || !inputs_get(ctx, argv, 1, 2, inputs)) {
        return JS_EXCEPTION;
    }
    int failed = mbedtls_md_hmac(hash, inputs[0].data, inputs[0].size, inputs[1].data,
                                 inputs[1].size, made);
    inputs_free(ctx, 2, inputs);
    return failed != 0 ? JS_NULL : JS_NewUint8ArrayCopy(ctx, made, mbedtls_md_get_size(hash));
}

/* pbkdf2(hash, password, salt, rounds, size) */
NATIVE(pbkdf2)
{
    struct bytes inputs[ARGUMENTS_MAX];
    uint32_t rounds = 0, size = 0;
    const mbedtls_md_info_t *hash = hash_get(ctx, argv[0]);
    if (hash == NULL || JS_ToUint32(ctx, &rounds, argv[3]) != 0 ||
        JS_ToUint32(ctx, &size, argv[4]) != 0 || !inputs_get(ctx, argv, 1, 2, inputs)) {
        return JS_EXCEPTION;
    }
    uint8_t *made = malloc((size_t)size + 1);
    mbedtls_md_context_t md;
    mbedtls_md_init(&md);
    int failed = made == NULL ? -1 : mbedtls_md_setup(&md, hash, 1);
    if (failed == 0 && size > 0) {
        failed = mbedtls_pkcs5_pbkdf2_hmac(&md, inputs[0].data, inputs[0].size, inputs[1].data,
                                           inputs[1].size, rounds, size, made);
    }
    mbedtls_md_free(&md);
    inputs_free(ctx, 2, inputs);
    return result_bytes(ctx, made, size, failed);
}

/* hkdf(hash, key, salt, info, size) */
NATIVE(hkdf)
{
    struct bytes inputs[ARGUMENTS_MAX];
    uint32_t size = 0;
    const mbedtls_md_info_t *hash = hash_get(ctx, argv[0]);
    if (hash == NULL || JS_ToUint32(ctx, &size, argv[4]) != 0 ||
        !inputs_get(ctx, argv, 1, 3, inputs)) {
        return JS_EXCEPTION;
    }
    uint8_t *made = malloc((size_t)size + 1);
    int failed = made == NULL ? -1
                 : size == 0
                     ? 0
                     : mbedtls_hkdf(hash, inputs[1].data, inputs[1].size, inputs[0].data,
                                    inputs[0].size, inputs[2].data, inputs[2].size, made, size);
    inputs_free(ctx, 3, inputs);
    return result_bytes(ctx, made, size, failed);
}

/* What follows the data is the tag. */
static int gcm_run(bool encrypts, const struct bytes *inputs, size_t size, uint8_t *made,
                   size_t tag)
{
    const struct bytes *key = &inputs[0], *iv = &inputs[1], *data = &inputs[2], *more = &inputs[3];
    mbedtls_gcm_context gcm;
    mbedtls_gcm_init(&gcm);
    int failed = mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key->data,
                                    (unsigned)key->size * 8);
    if (failed == 0 && encrypts) {
        failed = mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, data->size, iv->data,
                                           iv->size, more->data, more->size, data->data, made, tag,
                                           made + data->size);
    } else if (failed == 0) {
        failed = mbedtls_gcm_auth_decrypt(&gcm, size, iv->data, iv->size, more->data, more->size,
                                          data->data + size, tag, data->data, made);
    }
    mbedtls_gcm_free(&gcm);
    return failed;
}

/* aesGcm(encrypts, tag's bytes, key, iv, data, additional data) -> null: it is not authentic */
NATIVE(aes_gcm)
{
    struct bytes inputs[ARGUMENTS_MAX];
    uint32_t tag = 0;
    if (JS_ToUint32(ctx, &tag, argv[1]) != 0 || !inputs_get(ctx, argv, 2, 4, inputs)) {
        return JS_EXCEPTION;
    }
    bool encrypts = JS_ToBool(ctx, argv[0]);
    size_t given = inputs[2].size;
    JSValue result = JS_NULL;
    if (tag <= TAG_MAX && (encrypts || given >= tag)) {
        size_t size = encrypts ? given + tag : given - tag;
        uint8_t *made = malloc(size + 1);
        result = result_bytes(ctx, made, size,
                              made == NULL ? -1 : gcm_run(encrypts, inputs, size, made, tag));
    }
    inputs_free(ctx, 4, inputs);
    return result;
}

/* The last block has as many bytes more as each of them says (PKCS #7). 0: it has not. */
static size_t padding_of(const uint8_t *made, size_t size)
{
    size_t count = size == 0 ? 0 : made[size - 1];
    uint8_t wrong = count == 0 || count > BLOCK;
    for (size_t i = 1; !wrong && i <= count; i++) {
        wrong |= made[size - i] != count;
    }
    return wrong ? 0 : count;
}

static JSValue cbc_encrypted(JSContext *ctx, mbedtls_aes_context *aes, uint8_t iv[BLOCK],
                             const struct bytes *data)
{
    size_t more = BLOCK - data->size % BLOCK, size = data->size + more;
    uint8_t *made = malloc(size);
    if (made == NULL) {
        return JS_ThrowOutOfMemory(ctx);
    }
    memcpy(made, data->data, data->size);
    memset(made + data->size, (int)more, more);
    int failed = mbedtls_aes_crypt_cbc(aes, MBEDTLS_AES_ENCRYPT, size, iv, made, made);
    return result_bytes(ctx, made, size, failed);
}

static JSValue cbc_decrypted(JSContext *ctx, mbedtls_aes_context *aes, uint8_t iv[BLOCK],
                             const struct bytes *data)
{
    uint8_t *made = malloc(data->size + 1);
    if (made == NULL) {
        return JS_ThrowOutOfMemory(ctx);
    }
    int failed = mbedtls_aes_crypt_cbc(aes, MBEDTLS_AES_DECRYPT, data->size, iv, data->data, made);
    size_t more = failed == 0 ? padding_of(made, data->size) : 0;
    return result_bytes(ctx, made, data->size - more, more == 0);
}

/* aesCbc(encrypts, key, iv, data) -> null: it is not padded as it should be */
NATIVE(aes_cbc)
{
    struct bytes inputs[ARGUMENTS_MAX];
    if (!inputs_get(ctx, argv, 1, 3, inputs)) {
        return JS_EXCEPTION;
    }
    bool encrypts = JS_ToBool(ctx, argv[0]);
    JSValue result = JS_NULL;
    mbedtls_aes_context aes;
    mbedtls_aes_init(&aes);
    unsigned bits = (unsigned)inputs[0].size * 8;
    int failed = encrypts ? mbedtls_aes_setkey_enc(&aes, inputs[0].data, bits)
                          : mbedtls_aes_setkey_dec(&aes, inputs[0].data, bits);
    if (failed == 0 && inputs[1].size == BLOCK) {
        uint8_t iv[BLOCK];
        memcpy(iv, inputs[1].data, sizeof iv);
        result = encrypts ? cbc_encrypted(ctx, &aes, iv, &inputs[2])
                          : cbc_decrypted(ctx, &aes, iv, &inputs[2]);
    }
    mbedtls_aes_free(&aes);
    inputs_free(ctx, 3, inputs);
    return result;
}

static const JSCFunctionListEntry entries[] = {
    JS_CFUNC_DEF("digest", 2, digest),  JS_CFUNC_DEF("hmac", 3, hmac),
    JS_CFUNC_DEF("pbkdf2", 5, pbkdf2),  JS_CFUNC_DEF("hkdf", 5, hkdf),
    JS_CFUNC_DEF("aesGcm", 6, aes_gcm), JS_CFUNC_DEF("aesCbc", 4, aes_cbc),
};

const struct natives crypto_natives = {entries, sizeof entries / sizeof entries[0]};
