// SPDX-License-Identifier: MIT
/*
 * Making, changing, printing and reading programs.
 */
#include <string.h>

#include <sys/mman.h>

#include <linux/chunk.h>

#include "fuzz.h"
#include "random.h"

#define MOST	64	/* the most kinds */

static const struct fuzz_kind *kinds[MOST];
static size_t count;
static size_t total_weight;

static void collect(const struct fuzz_kind *from)
{
	for (; from->name; from++) {
		expect(count < MOST);
		kinds[count++] = from;
		total_weight += from->weight;
	}
}

/**
 * fuzz_kinds_collect() - collect the kinds of all calls
 *
 * Context: once, before anything else here.
 */
void fuzz_kinds_collect(void)
{
	collect(fuzz_device_kinds);
	collect(fuzz_system_kinds);
}

/**
 * fuzz_kinds_count() - get the number of kinds
 *
 * Return: up to 64.
 */
size_t fuzz_kinds_count(void)
{
	return count;
}

/**
 * fuzz_kind() - get a kind by its index
 * @index: below fuzz_kinds_count()
 *
 * Return: the kind.
 */
const struct fuzz_kind *fuzz_kind(size_t index)
{
	return kinds[index];
}

static bool one_in(uint64_t *random, size_t n)
{
	return random_below(random, n) == 0;
}

static struct fuzz_value number(int64_t value)
{
	return (struct fuzz_value) { .base = FUZZ_NUMBER, .number = value };
}

/* Numbers at which something changes */
static int64_t edge(uint64_t *random)
{
	const int64_t edges[] = {
		0, 1, 8, FUZZ_PAGE - 1, FUZZ_PAGE, MIB - 1, MIB, MIB + 1,
		2 * MIB, 64 * MIB, GIB, INT32_MAX, UINT32_MAX, 1LL << 32,
		(1LL << 47) - FUZZ_PAGE, 1LL << 47, 1LL << 56, INT64_MAX,
		INT64_MIN, -1, -(int64_t)FUZZ_PAGE, -(int64_t)MIB,
	};

	if (one_in(random, 4))
		return (int64_t)1 << random_below(random, 64);
	if (one_in(random, 8))
		return random_next(random);
	return edges[random_below(random, TAP_COUNT(edges))];
}

/* Prefer the first slots, since a program begins without extents. */
static uint8_t choose_slot(uint64_t *random)
{
	size_t a = random_below(random, FUZZ_EXTENTS);
	size_t b = random_below(random, FUZZ_EXTENTS);

	return a < b ? a : b;
}

static struct fuzz_value relative(uint64_t *random, enum fuzz_base base,
				  int64_t offset)
{
	return (struct fuzz_value) {
		.base = base,
		.slot = choose_slot(random),
		.number = offset,
	};
}

/* Choose mostly an extent, or pages in it. */
static struct fuzz_value address(uint64_t *random)
{
	switch (random_below(random, 16)) {
	case 0:
		return number(edge(random));
	case 1:
		return relative(random, FUZZ_START, edge(random));
	case 2:
		return relative(random, FUZZ_END,
				-FUZZ_PAGE * (int64_t)random_below(random, 4));
	case 3:
		return relative(random, FUZZ_START,
				MIB * random_below(random, 8));
	case 4 ... 8:
		return relative(random, FUZZ_START, FUZZ_PAGE *
				random_below(random, 2 * MIB / FUZZ_PAGE + 8));
	default:
		return relative(random, FUZZ_START, 0);
	}
}

static struct fuzz_value pages(uint64_t *random)
{
	switch (random_below(random, 10)) {
	case 0:
		return number(edge(random));
	case 1 ... 2:
		return relative(random, FUZZ_LENGTH, 0);
	case 3:
		return number(MIB * (1 + random_below(random, 8)));
	default:
		return number(FUZZ_PAGE * (1 + random_below(random, 40)));
	}
}

static struct fuzz_value extent_length(uint64_t *random)
{
	switch (random_below(random, 16)) {
	case 0:
		return number(edge(random));
	case 1:
		return number(MIB << random_below(random, 12));
	case 2:
		return relative(random, FUZZ_LENGTH, 0);
	default:
		return number(MIB * (1 + random_below(random, 6)));
	}
}

static struct fuzz_value alignment(uint64_t *random)
{
	if (one_in(random, 12))
		return number(edge(random));
	if (one_in(random, 12))
		return number(MIB << random_below(random, 30));
	return number(MIB << random_below(random, 4));
}

/*
 * Choose a place for the structure: 0 is accessible, for others see
 * fuzz_device.c. An offset must be within its extent: programs may not change
 * all memory beyond it.
 */
static struct fuzz_value structure(uint64_t *random)
{
	if (!one_in(random, 10))
		return number(0);
	if (one_in(random, 3))
		return relative(random, FUZZ_START, FUZZ_PAGE *
				random_below(random, MIB / FUZZ_PAGE - 1) +
				8 * random_below(random, 512));
	if (one_in(random, 2))
		return relative(random, FUZZ_HOLE,
				-(int64_t)random_below(random, 96));
	return number(one_in(random, 2) ? -1 : edge(random));
}

static struct fuzz_value structure_size(uint64_t *random)
{
	static const int64_t off[] = { -8, -1, 1, 8, 64, 4000, 5000 };

	if (!one_in(random, 16))
		return number(0);
	if (one_in(random, 2))
		return number(off[random_below(random, TAP_COUNT(off))]);
	return number(edge(random));
}

/* Choose mostly a small number, mostly without the flags that take long. */
static struct fuzz_value small(uint64_t *random, size_t usual, size_t most)
{
	if (one_in(random, 24))
		return number(edge(random));
	if (one_in(random, 12))
		return number(random_below(random, most + 1));
	return number(random_below(random, usual + 1));
}

/* Advice with guards is included; advice that poisons memory of the machine is not. */
static struct fuzz_value advice(uint64_t *random)
{
	if (one_in(random, 16))
		return number(102 + random_below(random, 2));
	return number(random_below(random, 30));
}

static struct fuzz_value map_flags(uint64_t *random)
{
	int64_t flags = MAP_PRIVATE | MAP_NORESERVE;

	if (one_in(random, 8))
		flags ^= MAP_NORESERVE;
	if (one_in(random, 12))
		flags = (flags & ~MAP_PRIVATE) | random_below(random, 4);
	if (one_in(random, 12))
		flags |= MAP_FIXED_NOREPLACE;
	if (one_in(random, 16))
		flags |= MAP_POPULATE;
	if (one_in(random, 16))
		flags |= MAP_LOCKED;
	if (one_in(random, 16))
		flags |= 1 << (5 + random_below(random, 24));
	/* MAP_FIXED has a call of its own, which stays within extents. */
	return number(flags & ~MAP_FIXED);
}

static struct fuzz_value offset(uint64_t *random)
{
	if (one_in(random, 8))
		return number(edge(random));
	if (one_in(random, 16))
		return number((CHUNK_WORDS_PGOFF + edge(random) % (1 << 18)) *
			      FUZZ_PAGE);
	return number((20 + random_below(random, 6)) * FUZZ_PAGE);
}

static struct fuzz_value choose(enum fuzz_type type, uint64_t *random)
{
	switch (type) {
	case FUZZ_STRUCT:
		return structure(random);
	case FUZZ_SIZE:
		return structure_size(random);
	case FUZZ_FLAGS:
		return small(random, 0, 3);
	case FUZZ_PAD:
		return small(random, 0, 1);
	case FUZZ_EXTENT_LENGTH:
		return extent_length(random);
	case FUZZ_WHOLE:
		return one_in(random, 12) ? extent_length(random) :
					    relative(random, FUZZ_LENGTH, 0);
	case FUZZ_ALIGNMENT:
		return alignment(random);
	case FUZZ_ADDRESS:
		return address(random);
	case FUZZ_BEGIN:
		return one_in(random, 8) ? address(random) :
					   relative(random, FUZZ_START, 0);
	case FUZZ_PAGES:
		return pages(random);
	case FUZZ_TYPE:
		return small(random, 4, 8);
	case FUZZ_COUNT:
		return small(random, 6, 100);
	case FUZZ_LIMIT:
		return number(MIB * random_below(random, 16));
	case FUZZ_COMMAND:
		return number(one_in(random, 2) ?
			      (CHUNK_IOC_MAGIC << 8) +
			      (int64_t)random_below(random, 256) :
			      edge(random));
	case FUZZ_PROTECTION:
		return small(random, 3, 7);
	case FUZZ_ADVICE:
		return advice(random);
	case FUZZ_MAP_FLAGS:
		return map_flags(random);
	case FUZZ_OFFSET:
		return offset(random);
	case FUZZ_WORD:
		/* Mostly nothing but a state, mostly OFFERED */
		return one_in(random, 4) ? number(edge(random)) :
		       number(one_in(random, 2) ? CHUNK_WORD_OFFERED :
			      random_below(random, 4));
	}
	return number(0);
}

static uint8_t choose_kind(uint64_t *random)
{
	size_t at = random_below(random, total_weight), i = 0;

	while (at >= kinds[i]->weight)
		at -= kinds[i++]->weight;
	return i;
}

static uint8_t choose_fd(uint64_t *random)
{
	return one_in(random, 8) ? random_below(random, FUZZ_FDS) : FUZZ_FD;
}

static void new_call(struct fuzz_call *call, uint64_t *random)
{
	const struct fuzz_kind *kind;

	*call = (struct fuzz_call) {
		.kind = choose_kind(random),
		.fd = choose_fd(random),
	};
	kind = kinds[call->kind];
	for (unsigned int i = 0; i < kind->nr; i++)
		call->args[i] = choose(kind->types[i], random);
	/* The address and the length of an extent that is freed belong together. */
	for (unsigned int i = 1; i < kind->nr; i++) {
		if ((kind->types[i - 1] == FUZZ_ADDRESS ||
		     kind->types[i - 1] == FUZZ_BEGIN) &&
		    call->args[i].base == FUZZ_LENGTH && !one_in(random, 8))
			call->args[i].slot = call->args[i - 1].slot;
	}
}

/**
 * fuzz_program_new() - make a random program
 * @program: filled
 * @random:  state of the generator
 */
void fuzz_program_new(struct fuzz_program *program, uint64_t *random)
{
	*program = (struct fuzz_program) {
		.calls = 1 + random_below(random, FUZZ_CALLS),
		.racing = one_in(random, 12),
		.roomy = one_in(random, 6),
	};
	for (unsigned int i = 0; i < program->calls; i++)
		new_call(&program->call[i], random);
}

static void insert_call(struct fuzz_program *program, uint64_t *random)
{
	unsigned int at = random_below(random, program->calls + 1);

	if (program->calls == FUZZ_CALLS)
		return;
	memmove(&program->call[at + 1], &program->call[at],
		(program->calls - at) * sizeof(program->call[0]));
	new_call(&program->call[at], random);
	program->calls++;
}

static void remove_call(struct fuzz_program *program, uint64_t *random)
{
	unsigned int at = random_below(random, program->calls);

	if (program->calls == 1)
		return;
	program->calls--;
	memmove(&program->call[at], &program->call[at + 1],
		(program->calls - at) * sizeof(program->call[0]));
}

static void change_argument(struct fuzz_program *program, uint64_t *random)
{
	struct fuzz_call *call =
		&program->call[random_below(random, program->calls)];
	const struct fuzz_kind *kind = kinds[call->kind];
	unsigned int i;

	if (!kind->nr || one_in(random, 8)) {
		call->fd = choose_fd(random);
		return;
	}
	i = random_below(random, kind->nr);
	if (one_in(random, 3))
		call->args[i].slot = choose_slot(random);
	else
		call->args[i] = choose(kind->types[i], random);
}

/* Join the beginning of one program and the end of the other. */
static void splice(struct fuzz_program *program,
		   const struct fuzz_program *other, uint64_t *random)
{
	unsigned int at = random_below(random, program->calls + 1);
	unsigned int from = random_below(random, other->calls);
	unsigned int more = other->calls - from;

	if (more > FUZZ_CALLS - at)
		more = FUZZ_CALLS - at;
	if (!(at + more))
		return;
	memcpy(&program->call[at], &other->call[from],
	       more * sizeof(program->call[0]));
	program->calls = at + more;
}

/**
 * fuzz_program_mutate() - change a program in a few places
 * @program: the program
 * @other:   a program, parts of which may be taken
 * @random:  state of the generator
 */
void fuzz_program_mutate(struct fuzz_program *program,
			 const struct fuzz_program *other, uint64_t *random)
{
	for (size_t n = 1 + random_below(random, 4); n; n--) {
		switch (random_below(random, 8)) {
		case 0:
			splice(program, other, random);
			break;
		case 1:
			remove_call(program, random);
			break;
		case 2 ... 4:
			insert_call(program, random);
			break;
		default:
			change_argument(program, random);
		}
	}
	if (one_in(random, 32))
		program->racing = !program->racing;
	if (one_in(random, 32))
		program->roomy = !program->roomy;
}

static const char letters[FUZZ_BASES + 1] = "nselh";

/**
 * fuzz_program_print() - print a program, a line for each call
 * @program: the program
 * @to:      output, which fuzz_program_read() reads
 *
 * A value is a letter, a slot and a number: n number, s start, e end and l length
 * of the extent in the slot, h hole.
 */
void fuzz_program_print(const struct fuzz_program *program, FILE *to)
{
	fprintf(to, "program racing=%d roomy=%d\n", program->racing,
		program->roomy);
	for (unsigned int i = 0; i < program->calls; i++) {
		const struct fuzz_call *call = &program->call[i];

		fprintf(to, "%s fd=%u", kinds[call->kind]->name, call->fd);
		for (unsigned int j = 0; j < kinds[call->kind]->nr; j++) {
			const struct fuzz_value *value = &call->args[j];

			fprintf(to, " %c%u:%lld", letters[value->base],
				value->slot, (long long)value->number);
		}
		fputc('\n', to);
	}
}

static bool read_value(const char *word, struct fuzz_value *value)
{
	unsigned int slot;
	long long at;
	const char *letter = strchr(letters, word[0]);

	if (!letter || !*letter || sscanf(word + 1, "%u:%lli", &slot, &at) != 2 ||
	    slot >= FUZZ_EXTENTS)
		return false;
	*value = (struct fuzz_value) {
		.base = letter - letters, .slot = slot, .number = at,
	};
	return true;
}

static bool read_call(char *line, struct fuzz_call *call)
{
	char *rest, *word = strtok_r(line, "\n ", &rest);
	unsigned int fd, i;

	*call = (struct fuzz_call) { .kind = 0 };
	while (word && call->kind < count &&
	       strcmp(word, kinds[call->kind]->name))
		call->kind++;
	if (!word || call->kind == count)
		return false;
	word = strtok_r(NULL, "\n ", &rest);
	if (!word || sscanf(word, "fd=%u", &fd) != 1 || fd >= FUZZ_FDS)
		return false;
	call->fd = fd;
	for (i = 0; i < kinds[call->kind]->nr; i++) {
		word = strtok_r(NULL, "\n ", &rest);
		if (!word || !read_value(word, &call->args[i]))
			return false;
	}
	return true;
}

/**
 * fuzz_program_read() - read a program as fuzz_program_print() wrote it
 * @program: filled
 * @from:    the file; lines may begin with "# "
 *
 * Return: false if the file has no valid program.
 */
bool fuzz_program_read(struct fuzz_program *program, FILE *from)
{
	int racing, roomy;
	char line[512];

	program->calls = 0;
	if (!fgets(line, sizeof(line), from) ||
	    sscanf(line + 2 * (line[0] == '#'), "program racing=%d roomy=%d",
		   &racing, &roomy) != 2)
		return false;
	program->racing = racing;
	program->roomy = roomy;
	while (fgets(line, sizeof(line), from)) {
		if (program->calls == FUZZ_CALLS ||
		    !read_call(line + 2 * (line[0] == '#'),
			       &program->call[program->calls]))
			return false;
		program->calls++;
	}
	return program->calls;
}
