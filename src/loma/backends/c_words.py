"""Names that C and the headers that we include have taken."""

from __future__ import annotations

from typing import Final


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


KEYWORDS: Final = words("""
    auto break case char const continue default do double else enum extern float for goto if
    inline int long register restrict return short signed sizeof static struct switch
    typedef union unsigned void volatile while asm typeof alignas alignof bool constexpr
    false nullptr static_assert thread_local true typeof_unqual
""")

MACROS: Final = words("""
    I NULL NAN INFINITY HUGE_VAL HUGE_VALF EOF errno linux unix i386 alloca setjmp signbit
    isnan isinf isfinite isnormal fpclassify isunordered isgreater isless strdupa strndupa
    sched_priority complex imaginary math_errhandling MAXFLOAT RAND_MAX EXIT_SUCCESS
    EXIT_FAILURE BIG_ENDIAN LITTLE_ENDIAN BYTE_ORDER M_E M_PI M_PI_2 M_PI_4 M_1_PI M_2_PI
    M_LN2 M_LN10 M_LOG2E M_LOG10E M_SQRT2 M_SQRT1_2 INT8_MAX INT16_MAX INT32_MAX INT64_MAX
    INT8_MIN INT16_MIN INT32_MIN INT64_MIN INT_MAX INT_MIN SIZE_MAX
""")

_MATH: Final = words("""
    acos acosh asin asinh atan atan2 atanh canonicalize cbrt ceil copysign cos cosh drem erf
    erfc exp exp10 exp2 expm1 fabs fdim finite floor fma fmax fmin fmod frexp fromfp gamma
    getpayload hypot ilogb j0 j1 jn ldexp lgamma llogb llrint llround log log10 log1p log2
    logb lrint lround modf nan nearbyint nextafter nextdown nexttoward nextup pow remainder
    remquo rint round roundeven scalb scalbln scalbn significand sin sincos sinh sqrt tan
    tanh tgamma totalorder trunc ufromfp y0 y1 yn cosl fadd dadd fdiv fsub fmul fsqrt ffma
    fmaximum fminimum
""")

_LIBRARY: Final = words("""
    a64l abort abs access acct alarm aligned_alloc at_quick_exit atexit atof atoi atol atoll
    basename bcmp bcopy brk bsearch bzero calloc chdir chown chroot clearenv clock close
    confstr crypt ctime daemon difftime div drand48 dup dup2 dysize ecvt erand48 execl
    execle execlp execv execve execvp exit explicit_bzero fchdir fchown fcvt ffs ffsl ffsll
    fork fpathconf free fsync ftruncate gcvt getcwd getdate getegid getenv getentropy
    geteuid getgid getgroups gethostid gethostname getloadavg getlogin getopt getpagesize
    getpass getpgid getpgrp getpid getppid getpt getsid getsubopt gettid getuid getwd gmtime
    grantpt index initstate isatty jrand48 labs lchown ldiv link llabs lldiv localtime lockf
    longjmp lrand48 lseek malloc mblen mbstowcs mbtowc memccpy memchr memcmp memcpy memfrob
    memmem memmove mempcpy memrchr memset mkdtemp mkostemp mkstemp mktemp mktime mrand48
    nanosleep nice nrand48 on_exit pathconf pause pipe posix_memalign posix_openpt pread
    profil pselect ptsname putenv pwrite qsort quick_exit rand random rawmemchr read
    readlink realloc reallocarray realpath revoke rindex rmdir rpmatch sbrk seed48 select
    setenv setgid setuid setsid setstate siglongjmp sigsetjmp sleep srand srandom stpcpy
    stpncpy strcasecmp strcasestr strcat strchr strchrnul strcmp strcoll strcpy strcspn
    strdup strerror strfry strftime strlen strncasecmp strncat strncmp strncpy strndup
    strnlen strpbrk strptime strrchr strsep strsignal strspn strstr strtod strtof strtok
    strtol strtold strtoll strtoul strtoull strverscmp strxfrm swab symlink sync syscall
    sysconf system time truncate ttyname ualarm uint ulong ushort unlink unlockpt unsetenv
    unshare usleep valloc vfork wcstombs wctomb write main printf puts putchar scanf sprintf
    snprintf fprintf
""")

_TYPES: Final = words("float_t double_t jmp_buf size_t ssize_t wchar_t va_list FILE div_t ldiv_t")

_COMPILED: Final = words("""
    sin cos tan asin acos atan atan2 sinh cosh tanh exp exp2 exp10 expm1 log log2 log10
    log1p pow sqrt cbrt hypot sincos fma fabs fmin fmax fmod floor ceil trunc round rint
    ldexp copysign erf erfc
""")

LIBRARY: Final = (
    _LIBRARY
    | _TYPES
    | {f"{name}{suffix}" for name in _MATH for suffix in ("", "f", "l", "_r", "f_r")}
    | {
        f"{u}int{k}{n}_t"
        for u in ("", "u")
        for k in ("", "_fast", "_least")
        for n in (8, 16, 32, 64)
    }
)
"""Functions and types of the headers: nothing of ours can bear such a name in C."""

NEEDED: Final = words("""
    malloc calloc free realloc memcpy memmove memset memcmp longjmp setjmp _setjmp sysconf
    pthread_self pthread_getattr_np pthread_attr_getstack pthread_attr_destroy abort
""") | {f"{name}{suffix}" for name in _COMPILED for suffix in ("", "f")}
"""Functions that a generated library calls, or what a compiler makes of it: a library that defines
one of them would call its own."""


def is_reserved(name: str) -> bool:
    """Whether a function or a struct of that name cannot be called so in C."""
    taken = name in KEYWORDS or name in MACROS or name in LIBRARY
    return (
        taken
        or name.startswith(("__", "loma_", "pthread_", "sched_"))
        or (name[0] == "_" and name[1:2].isupper())
    )
