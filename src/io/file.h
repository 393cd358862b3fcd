/* file.h -- whole files, read once: configuration, keys, certificates. Not for the data path. What
 * was read is what is used: the stamp comes from the descriptor the bytes came from. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct file_stamp {
        uint64_t changed_ns, size, inode; /* all 0: there is no such file */
};

struct file {
        struct str path, text;
        struct file_stamp stamp;
};

/* Reads a regular file of at most `max` bytes. ERR_missing, ERR_denied, ERR_limit, ERR_syntax (a
 * folder, a device), ERR_io. path and text lie in the arena. */
must_use enum err file_read(struct str path, size_t max, struct arena *arena,
                            struct file *ret_file);

/* All of a descriptor from its beginning; it stays open. */
must_use enum err file_read_fd(int fd, size_t max, struct arena *arena, struct file *ret_file);

must_use enum err file_stamp(struct str path, struct file_stamp *ret_stamp);

/* Files whose path fits a shell pattern, sorted; none is no error. ERR_limit beyond `most`. */
must_use enum err file_list(struct str pattern, size_t most, struct arena *arena,
                            struct str **ret_paths, size_t *ret_count);

/* Replaces a file as a whole: after a crash there is the old one or the new one, on disk. The file
 * is for its owner only. The folder must be there. ERR_denied, ERR_full, ERR_io. */
must_use enum err file_write(struct str path, struct str text);
