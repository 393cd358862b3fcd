/* load_tls.c -- the certificates and keys of listeners, as texts: what is in them is for those to
 * say who show them. A key that stands in the document by reference is as good. */
#include "config/config.h"
#include "config/load_int.h"
#include "wire/digest.h"

enum { TLS_FILE_MAX = 1 << 20 };

static struct str read_pem(struct load *load, const struct json *node, struct str value,
                           const char *what)
{
        struct file file;
        if (str_find_str(value, S("-----BEGIN ")) >= 0)
                return value;
        struct str path = load_path(load, value);
        enum err err = load_read(load, path, TLS_FILE_MAX, &file);
        if (err == ERR_ok && file.text.len > 0)
                return file.text;
        struct fault *fault = fault_add(&load->faults, FAULT_E120, node,
                                        "cannot read the %s `" STR_FMT "`", what, STR_ARG(path));
        fault->label = err == ERR_ok       ? S("it is empty")
                       : err == ERR_syntax ? S("it is no regular file")
                                           : str_of(err_text(err));
        load->denied += err == ERR_denied;
        return STR_NONE;
}

static void load_one(struct load *load, struct conf_tls *tls, struct text *all)
{
        const struct json *cert = json_get(tls->node, S("cert"));
        const struct json *key = json_get(tls->node, S("key"));
        tls->cert_pem = read_pem(load, cert, tls->cert, "certificate");
        tls->key_pem = read_pem(load, key, tls->key, "key");
        const struct digest digests[] = {digest_sha256(tls->cert_pem), digest_sha256(tls->key_pem)};
        for (size_t i = 0; i < countof(digests); i++)
                digest_write(&digests[i], DIGEST_SIZE, all);
}

void config_load_tls(struct load *load, struct config *config)
{
        load->certs = load->files_count;
        struct text all = text_grow(load->arena, SIZE_MAX / 2), hash = text_grow(load->arena, 128);
        for (size_t i = 0; i < config->listeners_count; i++) {
                for (size_t k = 0; k < config->listeners[i].tls_count; k++)
                        load_one(load, &config->listeners[i].tls[k], &all);
        }
        struct digest digest = digest_sha256(text_str(&all));
        digest_write(&digest, DIGEST_SIZE, &hash);
        config->tls_hash = text_str(&hash);
}

void config_wipe_tls(const struct config *config)
{
        for (size_t i = 0; i < config->listeners_count; i++) {
                for (size_t k = 0; k < config->listeners[i].tls_count; k++) {
                        struct conf_tls *tls = &config->listeners[i].tls[k];
                        const struct json *key = json_get(tls->node, S("key"));
                        if (tls->key_pem.ptr != tls->key.ptr || (key->flags & JSON_FILLED) != 0)
                                str_wipe(tls->key_pem);
                        tls->key_pem = STR_NONE;
                }
        }
}
