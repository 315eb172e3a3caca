/* Hosts and ports, and the endpoints of storages. */

#include <string.h>

#include "chorus_config_value.h"
#include "chorus_uri.h"

#define MAX_HOST_LEN        253


static bool
url_is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}


static bool
url_host_is_valid(chorus_str_t host)
{
    bool    is_v6;
    size_t  i;

    is_v6 = (host.len > 2 && host.data[0] == '['
             && host.data[host.len - 1] == ']');

    if (is_v6) {
        host = chorus_str_sub(host, 1);
        host.len--;
    }

    for (i = 0; i < host.len; i++) {
        if (is_v6 ? host.data[i] != ':' && chorus_hex_digit(host.data[i]) < 0
                    && host.data[i] != '.'
                  : !url_is_host_char(host.data[i]))
        {
            return false;
        }
    }

    return host.len != 0 && host.len <= MAX_HOST_LEN;
}


bool
chorus_config_host_port(chorus_str_t text, chorus_config_host_port_t *host)
{
    uint64_t      port;
    chorus_str_t  rest;

    memset(host, 0, sizeof(chorus_config_host_port_t));

    rest = text;

    if (chorus_str_starts(text, chorus_str("["))) {
        (void) chorus_str_cut(&rest, ']');

        if (rest.data == NULL) {
            return false;
        }

        host->host = (chorus_str_t) { text.data, text.len - rest.len };

        if (rest.len == 0) {
            return url_host_is_valid(host->host);
        }

        if (rest.data[0] != ':') {
            return false;
        }

        rest = chorus_str_sub(rest, 1);

    } else {
        host->host = chorus_str_cut(&rest, ':');

        if (rest.data == NULL) {
            return url_host_is_valid(host->host);
        }
    }

    if (!chorus_str_to_u64(rest, &port) || port == 0 || port > 65535) {
        return false;
    }

    host->has_port = true;
    host->port = (uint16_t) port;

    return url_host_is_valid(host->host);
}


bool
chorus_config_scheme(chorus_str_t *rest, chorus_str_t scheme)
{
    if (!chorus_str_casestarts(*rest, scheme)) {
        return false;
    }

    *rest = chorus_str_sub(*rest, scheme.len);

    return true;
}


chorus_rc_t
chorus_config_endpoint(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_storage_t *storage)
{
    chorus_rc_t                rc;
    chorus_buf_t               buf;
    chorus_str_t               text;
    chorus_config_host_port_t  host;

    rc = chorus_config_text(reader, node, &text);
    if (rc != CHORUS_OK) {
        return rc;
    }

    storage->tls = chorus_config_scheme(&text, chorus_str("https://"));

    if ((!storage->tls && !chorus_config_scheme(&text, chorus_str("http://")))
        || !chorus_config_host_port(text, &host))
    {
        return chorus_config_fail(reader, node, "must be http://host[:port] "
                                  "or https://host[:port], without a path");
    }

    buf = chorus_buf(reader->mem, text.len + 16);
    chorus_buf_text(&buf, storage->tls ? "https://" : "http://");
    chorus_buf_add(&buf, host.host);

    if (host.has_port && host.port != (storage->tls ? 443 : 80)) {
        chorus_buf_char(&buf, ':');
        chorus_buf_u64(&buf, host.port);
    }

    storage->endpoint = chorus_buf_str(&buf);
    storage->host = chorus_str_sub(storage->endpoint, storage->tls ? 8 : 7);

    return buf.failed ? CHORUS_NOMEM : CHORUS_OK;
}
