/* SPDX-License-Identifier: BSD-2-Clause */
/* lzo_peer.h - liblzo2 by its own header, which cannot be included beside <tmem/lzo.h>. */
#ifndef TMEM_TEST_XEN_LZO_PEER_H
#define TMEM_TEST_XEN_LZO_PEER_H

#include <stddef.h>

/* Its fastest, its usual and its densest compressor. */
#define LZO_PEER_COMPRESSORS 3u
size_t lzo_peer_compress(unsigned compressor, const unsigned char *from, size_t size_bytes, unsigned char *to);
/* Answers liblzo2's result. */
int lzo_peer_decompress(const unsigned char *from, size_t size_bytes, unsigned char *to, size_t *to_bytes);

#endif
