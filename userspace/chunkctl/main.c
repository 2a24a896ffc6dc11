// SPDX-License-Identifier: MIT
/* chunkctl: what processes do with their chunks. See chunkctl(1). */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chunkctl.h"
#include "text.h"

static const char usage[] =
"Usage: chunkctl COMMAND [OPTION...] [PID]\n"
"Shows the chunks of /dev/chunk that processes have.\n"
"\n"
"  list          the memory of all processes on the device\n"
"  show PID      all counters of one process\n"
"  map PID       a picture of its address space\n"
"  top           what all processes on the device do in a second\n"
"  check [PID]   why a process is not on the device, or could not be\n"
"\n"
"  -w, --watch          list: repeat, every 2 seconds\n"
"  -d, --delay SECONDS  list, top: between two outputs\n"
"  -n, --times N        list, top: end after N outputs\n"
"  --json               as JSON\n"
"  --prometheus         list: as Prometheus' textfile collector reads it\n"
"  --svg, --html        map: a picture to show around\n"
"  -h, --help           this text\n"
"\n"
"Status: 0 as asked; 1 not on the device; 2 usage; 3 no such process;\n"
"4 no permission; 5 trouble.\n";

enum { OPTION_JSON = 256, OPTION_PROMETHEUS, OPTION_SVG, OPTION_HTML };

static const struct option options[] = {
	{ "watch", no_argument, NULL, 'w' },
	{ "delay", required_argument, NULL, 'd' },
	{ "times", required_argument, NULL, 'n' },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "prometheus", no_argument, NULL, OPTION_PROMETHEUS },
	{ "svg", no_argument, NULL, OPTION_SVG },
	{ "html", no_argument, NULL, OPTION_HTML },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* Whether a command takes a process */
enum pid { NO_PID, MAY_PID, MUST_PID };

/**
 * struct command - a command
 * @name:  its name
 * @run:   its function
 * @pid:   whether it takes a process
 * @repeats: it takes -d and -n
 * @forms: the forms that it can print, a bit for each enum form
 */
struct command {
	const char *name;
	int (*run)(const struct request *request);
	enum pid pid;
	bool repeats;
	unsigned int forms;
};

static const struct command commands[] = {
	{ "list", list, NO_PID, true, 1 << FORM_JSON | 1 << FORM_PROMETHEUS },
	{ "show", show, MUST_PID, false, 1 << FORM_JSON },
	{ "map", map, MUST_PID, false,
	  1 << FORM_JSON | 1 << FORM_SVG | 1 << FORM_HTML },
	{ "top", top, NO_PID, true, 1 << FORM_JSON },
	{ "check", check, MAY_PID, false, 1 << FORM_JSON },
};

static noreturn void wrong(const char *what, const char *which)
{
	fprintf(stderr, "chunkctl: %s%s (see --help)\n", what, which);
	exit(STATUS_USAGE);
}

static unsigned int number(const char *text, const char *of)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || *text < '0' || *text > '9' || !value || value > INT_MAX)
		wrong("no positive integer: ", of);
	return value;
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	wrong("unknown command ", name);
}

static void set_form(struct request *request, enum form form)
{
	if (request->form != FORM_TEXT && request->form != form)
		wrong("more than one form of output", "");
	request->form = form;
}

static void end_output(void)
{
	if (fflush(stdout) || ferror(stdout))
		trouble("standard output");
}

static void set_option(struct request *request, int option)
{
	switch (option) {
	case 'w':
		request->watch = true;
		break;
	case 'd':
		request->seconds = number(optarg, optarg);
		break;
	case 'n':
		request->times = number(optarg, optarg);
		break;
	case OPTION_JSON:
		set_form(request, FORM_JSON);
		break;
	case OPTION_PROMETHEUS:
		set_form(request, FORM_PROMETHEUS);
		break;
	case OPTION_SVG:
		set_form(request, FORM_SVG);
		break;
	case OPTION_HTML:
		set_form(request, FORM_HTML);
		break;
	case 'h':
		fputs(usage, stdout);
		end_output();
		exit(STATUS_OK);
	default:
		/* getopt_long() has said what is wrong. */
		exit(STATUS_USAGE);
	}
}

/* Options that a command has no use for are errors, lest they be trusted. */
static void check_request(const struct command *command, struct request *request)
{
	if (request->form != FORM_TEXT && !(command->forms & 1 << request->form))
		wrong("no such form of output: ", command->name);
	if (!command->repeats && (request->times || request->seconds))
		wrong("it does not repeat: ", command->name);
	if (request->watch && command->run != list)
		wrong("-w is for list, not for ", command->name);
	/* A number of outputs asks for as many. */
	if (command->run == list && request->times)
		request->watch = true;
	if (!request->seconds)
		request->seconds = 2;
}

static void set_pid(const struct command *command, struct request *request,
		    char **operands)
{
	if (!*operands && command->pid == MUST_PID)
		wrong("which process? ", command->name);
	if (*operands && command->pid == NO_PID)
		wrong("it takes no process: ", command->name);
	if (!*operands)
		return;
	request->pid = number(operands[0], operands[0]);
	if (operands[1])
		wrong("one process at a time: ", operands[1]);
}

int main(int argc, char **argv)
{
	const struct command *command;
	struct request request = { 0 };
	int option, status;

	while ((option = getopt_long(argc, argv, "wd:n:h", options, NULL)) != -1)
		set_option(&request, option);
	if (optind == argc)
		wrong("which command?", "");
	command = find(argv[optind]);
	check_request(command, &request);
	set_pid(command, &request, argv + optind + 1);
	status = command->run(&request);
	end_output();
	return status;
}
