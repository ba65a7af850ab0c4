/* Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

/*
 * A fuzz target without a fuzzer: every seed goes through it once, a test
 * each. The program is PATH/replay_NAME, the seeds are in PATH/seeds_NAME.
 */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *dir, const char *name)
{
    char path[1200];
    uint8_t *data = NULL;
    FILE *in;
    long size;
    int ok;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    in = fopen(path, "rb");
    ok = in && fseek(in, 0, SEEK_END) == 0 && (size = ftell(in)) >= 0
         && fseek(in, 0, SEEK_SET) == 0
         /* exactly as long as the seed: a sanitizer sees its end */
         && (data = malloc(size ? (size_t)size : 1)) != NULL
         && fread(data, 1, (size_t)size, in) == (size_t)size;
    if (ok)
        LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    if (in)
        fclose(in);
    return ok;
}

int main(int argc, char **argv)
{
    const char *name = strrchr(argv[0], '/');
    struct dirent *entry;
    char dir[900];
    DIR *seeds;
    int n = 0, failed = 0;

    (void)argc;
    name = name ? name + 1 : argv[0];
    if (strncmp(name, "replay_", 7) != 0)
        return 2;
    snprintf(dir, sizeof(dir), "%.*sseeds_%s", (int)(name - argv[0]), argv[0],
             name + 7);
    seeds = opendir(dir);
    while (seeds && (entry = readdir(seeds)) != NULL) {
        int ok;

        if (entry->d_name[0] == '.')
            continue;
        ok = replay(dir, entry->d_name);
        failed += !ok;
        printf("%sok %d - %s\n", ok ? "" : "not ", ++n, entry->d_name);
        fflush(stdout);
    }
    if (seeds)
        closedir(seeds);
    printf("1..%d\n", n);
    return n == 0 || failed;
}
