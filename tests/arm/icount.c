/* Counts the instructions that a program runs under QEMU's user-mode emulation, in all its threads.
 *
 * The program marks a moment by asking the kernel for the priority of process 0x1c0de, which no
 * kernel has: getpriority(PRIO_PROCESS, 0x1c0de). For each mark the file named by the argument
 * `out=` gets a line with the number of instructions so far.
 *
 * QEMU's header is in no package that goes with the emulator, so what is used of it is declared
 * here. API_VERSION is 1 up to QEMU 8 and 2 from QEMU 9 on; what is used is the same in both.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define VISIBLE __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_info;

extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
extern void qemu_plugin_register_vcpu_tb_trans_cb(
    plugin_id id, void (*translated)(plugin_id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(
    struct qemu_plugin_tb *block, void (*run)(unsigned, void *), int flags, void *data);
extern void qemu_plugin_register_vcpu_syscall_cb(
    plugin_id id, void (*called)(plugin_id, unsigned, int64_t, uint64_t, uint64_t, uint64_t,
                                 uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));

VISIBLE int qemu_plugin_version = API_VERSION;

enum { NO_REGISTERS = 0, THREADS = 256, PROCESS = 0, MARK = 0x1c0de };
enum { GETPRIORITY_ARM = 96, GETPRIORITY_ARM64 = 141 };

/* One counter a thread, each on a cache line of its own: nothing is lost between threads. */
static struct { uint64_t instructions, padding[7]; } counted[THREADS];
static FILE *out;

static void run(unsigned thread, void *instructions)
{
    counted[thread % THREADS].instructions += (uintptr_t)instructions;
}

static void translated(plugin_id id, struct qemu_plugin_tb *block)
{
    void *instructions = (void *)(uintptr_t)qemu_plugin_tb_n_insns(block);
    qemu_plugin_register_vcpu_tb_exec_cb(block, run, NO_REGISTERS, instructions);
}

static void called(plugin_id id, unsigned thread, int64_t number, uint64_t a, uint64_t b,
                   uint64_t c, uint64_t d, uint64_t e, uint64_t f, uint64_t g, uint64_t h)
{
    if ((number != GETPRIORITY_ARM && number != GETPRIORITY_ARM64) || a != PROCESS || b != MARK)
        return;
    uint64_t sum = 0;
    for (int k = 0; k < THREADS; k++)
        sum += counted[k].instructions;
    fprintf(out, "%llu\n", (unsigned long long)sum);
    fflush(out);
}

VISIBLE int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv)
{
    if (argc != 1 || strncmp(argv[0], "out=", 4) != 0 || !(out = fopen(argv[0] + 4, "w"))) {
        fprintf(stderr, "icount: expected one argument, out=FILE, a file that can be written\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
