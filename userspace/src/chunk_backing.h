/* SPDX-License-Identifier: MIT */
#ifndef CHUNK_CONFIGURE_H
#define CHUNK_CONFIGURE_H

void chunk_backing_tell_device(void);
void chunk_backing_start(void);
void chunk_configure_charged(void);

#endif /* CHUNK_CONFIGURE_H */
