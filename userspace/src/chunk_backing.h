/* SPDX-License-Identifier: MIT */
#ifndef CHUNK_CONFIGURE_H
#define CHUNK_CONFIGURE_H

void chunk_configure_context(void);
void chunk_configure_start(void);
void chunk_configure_charged(void);

#endif /* CHUNK_CONFIGURE_H */
