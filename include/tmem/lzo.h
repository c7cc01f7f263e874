/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lzo.h - the LZO1X functions that the first tmem and zcache were written against, with the arguments and results of
 * the kernel's <linux/lzo.h>, over liblzo2.
 *
 * In builds with -Dlzo=true only; liblzo2 is GPL, and binaries with it are, too. liblzo2 itself has functions of
 * these names with other arguments, so here they are macros for symbols of their own: both may be in one program, but
 * not both headers in one file.
 */
#ifndef TMEM_LZO_H
#define TMEM_LZO_H

#include <tmem/tmem.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of work memory for lzo1x_1_compress(), aligned as pointers are; its content need not be kept. */
#define LZO1X_MEM_COMPRESS (16384u * sizeof(unsigned char *))

/* Most bytes that x bytes become. */
#define lzo1x_worst_compress(x) ((x) + ((x) / 16u) + 64u + 3u)

#define LZO_E_OK 0
#define LZO_E_ERROR (-1)
#define LZO_E_OUT_OF_MEMORY (-2)
#define LZO_E_NOT_COMPRESSIBLE (-3)
#define LZO_E_INPUT_OVERRUN (-4)
#define LZO_E_OUTPUT_OVERRUN (-5)
#define LZO_E_LOOKBEHIND_OVERRUN (-6)
#define LZO_E_EOF_NOT_FOUND (-7)
#define LZO_E_INPUT_NOT_CONSUMED (-8)

#define lzo1x_1_compress tmem_lzo1x_1_compress
#define lzo1x_decompress_safe tmem_lzo1x_decompress_safe

/*
 * lzo1x_1_compress - compress @src_len bytes to @dst.
 *
 * @dst      room for lzo1x_worst_compress(src_len) bytes.
 * @dst_len  receives how many were written.
 * @wrkmem   LZO1X_MEM_COMPRESS bytes, the caller's; calls with different ones may overlap.
 *
 * Results: LZO_E_OK, LZO_E_ERROR (an argument is NULL; nothing was written).
 */
TMEM_API int lzo1x_1_compress(const unsigned char *src, size_t src_len, unsigned char *dst, size_t *dst_len,
                              void *wrkmem);

/*
 * lzo1x_decompress_safe - decompress; safe against whatever the bytes are.
 *
 * @dst_len  on entry the room at @dst, on return how many bytes were written; they are complete only on LZO_E_OK.
 *
 * Results: LZO_E_OK, LZO_E_ERROR (an argument is NULL), LZO_E_INPUT_OVERRUN (the end is missing),
 * LZO_E_OUTPUT_OVERRUN (more than there is room for), LZO_E_LOOKBEHIND_OVERRUN (damaged), LZO_E_EOF_NOT_FOUND,
 * LZO_E_INPUT_NOT_CONSUMED (bytes are left over).
 */
TMEM_API int lzo1x_decompress_safe(const unsigned char *src, size_t src_len, unsigned char *dst, size_t *dst_len);

#ifdef __cplusplus
}
#endif

#endif
