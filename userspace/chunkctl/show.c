// SPDX-License-Identifier: MIT
/* All counters of one process. */
#include <stdio.h>
#include <string.h>

#include "chunkctl.h"
#include "process.h"
#include "text.h"

static void print_counter(const char *name, unsigned long long value)
{
	size_t length = strlen(name);
	char text[16];
	bool size = !strcmp(name, "recycle_limit") ||
		    (length > 6 && !strcmp(name + length - 6, "_bytes"));

	printf("  %-18s %16llu", name, value);
	if (size)
		printf(" %6s", human(value, text, sizeof(text)));
	putchar('\n');
}

static void show_context(const struct context *context)
{
	printf("descriptor %d%s\n", context->fd,
	       context->inherited ? ", of its parent, and useless here" : "");
	for (size_t i = 0; i < COUNTERS; i++)
		print_counter(counter_names[i], context->counters.of[i]);
}

static void show_text(const struct process *process)
{
	size_t mappings = process_mappings(process);
	unsigned long long most = mapping_limit();

	printf("process %d (%s)\n", process->pid, process->comm);
	if (mappings && most)
		printf("mappings %zu, of at most %llu\n", mappings, most);
	for (size_t i = 0; i < process->nr; i++)
		show_context(&process->contexts[i]);
}

static void show_json(const struct process *process)
{
	printf("{\"pid\":%d,\"comm\":", process->pid);
	print_json(process->comm);
	printf(",\"mappings\":%zu,\"mapping_limit\":%llu,\"contexts\":[",
	       process_mappings(process), mapping_limit());
	for (size_t i = 0; i < process->nr; i++) {
		const struct context *context = &process->contexts[i];

		printf("%s{\"fd\":%d,\"inherited\":%s", i ? ",\n" : "", context->fd,
		       context->inherited ? "true" : "false");
		for (size_t j = 0; j < COUNTERS; j++)
			printf(",\"%s\":%llu", counter_names[j],
			       context->counters.of[j]);
		putchar('}');
	}
	puts("]}");
}

/**
 * show() - print all counters of a process
 * @request: the command line
 *
 * Return: the status; STATUS_NOT_ON_DEVICE if it has no context of its own.
 */
int show(const struct request *request)
{
	struct process process;
	size_t own;

	process_need(&process, request->pid);
	if (request->form == FORM_JSON)
		show_json(&process);
	else
		show_text(&process);
	own = process.own;
	if (!own && request->form == FORM_TEXT)
		printf("not on the device; try: chunkctl check %d\n", process.pid);
	process_close(&process);
	return own ? STATUS_OK : STATUS_NOT_ON_DEVICE;
}
