/* version.h -- which gate this is. The number stands in version.c and in meson.build. */
#pragma once

extern const char version_text[];
