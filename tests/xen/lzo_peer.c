/* SPDX-License-Identifier: BSD-2-Clause */
/* lzo_peer.c - streams of liblzo2's own. */
#include <lzo/lzo1x.h>

#include "tests/xen/lzo_peer.h"

size_t lzo_peer_compress(unsigned compressor, const unsigned char *from, size_t size_bytes, unsigned char *to)
{
    static unsigned char work[LZO1X_999_MEM_COMPRESS];
    lzo_uint written = 0;
    if (compressor == 0)
        lzo1x_1_11_compress(from, size_bytes, to, &written, work);
    else if (compressor == 1)
        lzo1x_1_15_compress(from, size_bytes, to, &written, work);
    else
        lzo1x_999_compress(from, size_bytes, to, &written, work);
    return written;
}

int lzo_peer_decompress(const unsigned char *from, size_t size_bytes, unsigned char *to, size_t *to_bytes)
{
    lzo_uint written = *to_bytes;
    int result = lzo1x_decompress_safe(from, size_bytes, to, &written, NULL);
    *to_bytes = written;
    return result;
}
