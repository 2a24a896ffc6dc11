/* SPDX-License-Identifier: MIT */
/* The commands of chunkctl, and what they are told. */
#ifndef CHUNKCTL_H
#define CHUNKCTL_H

#include <stdbool.h>

/* The form of the output */
enum form { FORM_TEXT, FORM_JSON, FORM_PROMETHEUS, FORM_SVG, FORM_HTML };

/**
 * struct request - the command line
 * @pid:     the process, or 0: none was named
 * @form:    the form of the output
 * @watch:   repeat until interrupted
 * @seconds: from one output to the next
 * @times:   number of outputs; 0: until interrupted
 */
struct request {
	int pid;
	enum form form;
	bool watch;
	unsigned int seconds;
	unsigned long times;
};

int list(const struct request *request);
int show(const struct request *request);
int map(const struct request *request);
int top(const struct request *request);
int check(const struct request *request);

#endif /* CHUNKCTL_H */
