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

#ifndef SNIVHOST_MODULE_VERSION_H
#define SNIVHOST_MODULE_VERSION_H

/**
 * @file module/version.h
 * The version, for the code, `make dist` and the packages. This is the one
 * place to change it; t/docs/version.t names the files that have to follow.
 */
#define MOD_SNIVHOST_VERSION "0.10.0"

#endif /* SNIVHOST_MODULE_VERSION_H */
