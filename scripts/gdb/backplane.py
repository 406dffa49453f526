"""gdb commands for a live Backplane or its core: fibers that are parked are invisible to `bt`, so these find them.

    gdb -x scripts/gdb/backplane.py -p PID          (or: gdb -x ... backplane core)
    (gdb) backplane fibers          every fiber: plugin, operation, request, what it waits for, how long
    (gdb) backplane bt FIBER        where a parked fiber will go on (x86-64, ucontext backend)
"""
import gdb


def text(value):
    """A char pointer as a string; "-" for NULL."""
    return value.string() if int(value) else "-"



def monotonic_ns():
    with open("/proc/uptime") as uptime:
        return int(float(uptime.read().split()[0]) * 1e9)


def in_worker_c(frame):
    symtab = frame.find_sal().symtab
    return symtab is not None and symtab.filename.endswith("loop/worker.c")


def workers():
    """The workers of the process, found through the host that `serve` keeps in its frame."""
    for inferior_thread in gdb.selected_inferior().threads():
        inferior_thread.switch()
        frame = gdb.newest_frame()
        while frame is not None:
            if frame.name() in ("worker_run_until", "worker_run", "run_thread") and in_worker_c(frame):
                for name in ("worker", "arg"):
                    try:
                        value = frame.read_var(name)
                    except ValueError:
                        continue
                    if name == "arg":
                        value = value.cast(gdb.lookup_type("struct worker").pointer())
                    yield value
                    break
                break
            frame = frame.older()


def fibers(worker):
    kind = gdb.lookup_type("struct fiber").pointer()
    offset = next(field.bitpos // 8 for field in kind.target().fields() if field.name == "live")
    link = worker["fibers"]["first"]
    while int(link):
        yield gdb.Value(int(link) - offset).cast(kind)
        link = link["next"]


class Backplane(gdb.Command):
    """Commands about Backplane's fibers."""

    def __init__(self):
        super().__init__("backplane", gdb.COMMAND_USER, prefix=True)


class Fibers(gdb.Command):
    """List every fiber that has a call."""

    def __init__(self):
        super().__init__("backplane fibers", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        seen = set()
        for worker in workers():
            if int(worker) in seen:
                continue
            seen.add(int(worker))
            print("worker %d: %d fibers" % (int(worker["index"]), int(worker["fibers"]["count"])))
            for fiber in fibers(worker):
                call = fiber["call"]
                state = "running" if int(worker["current"]) == int(fiber) else text(fiber["waits_for"])
                age_ms = (monotonic_ns() - int(fiber["parked_ns"])) // 1000000
                print("  fiber 0x%x  %s %s %s  request %s  waits for %s, %d ms" % (
                    int(fiber), text(call["plugin"]), text(call["instance"]), text(call["op"]),
                    call["request_id"].string(), state, age_ms))
        if not seen:
            print("no worker was found: is this a backplane process, with symbols?")


class Backtrace(gdb.Command):
    """Show the stack of a parked fiber: backplane bt 0xADDRESS."""

    def __init__(self):
        super().__init__("backplane bt", gdb.COMMAND_STACK)

    @staticmethod
    def demangle(value, guard):
        """glibc turns saved pointers left by 17 bits after mixing in the thread's guard."""
        value = ((value >> 17) | (value << 47)) & 0xFFFFFFFFFFFFFFFF
        return value ^ guard

    def invoke(self, argument, from_tty):
        fiber = gdb.parse_and_eval("(struct fiber *) (%s)" % argument)
        context = fiber["context"].dereference()
        registers = context["inside"][0]["__jmpbuf"]
        guard = int(gdb.parse_and_eval("*(unsigned long *) ($fs_base + 0x30)"))
        frame = self.demangle(int(registers[1]) & 0xFFFFFFFFFFFFFFFF, guard)
        address = self.demangle(int(registers[7]) & 0xFFFFFFFFFFFFFFFF, guard)
        long_pointer = gdb.lookup_type("unsigned long").pointer()
        low = int(context["mapping"])
        # The build keeps frame pointers, so the chain of saved ones is the stack.
        for number in range(64):
            block = gdb.block_for_pc(address)
            name = block.function.name if block is not None and block.function else "?"
            place = gdb.find_pc_line(address)
            where = " at %s:%d" % (place.symtab.filename, place.line) if place.symtab else ""
            print("#%-2d 0x%x in %s%s" % (number, address, name, where))
            if not low < frame < low + (2 << 20):
                break
            pointer = gdb.Value(frame).cast(long_pointer)
            frame, address = int(pointer.dereference()), int((pointer + 1).dereference())
            if address == 0:
                break


Backplane()
Fibers()
Backtrace()
