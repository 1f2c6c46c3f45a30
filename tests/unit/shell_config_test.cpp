#include "sim/plan/shell_config.h"

#include <gtest/gtest.h>

#include "sim/scenario/scenario.h"

namespace trapline::plan {
namespace {

std::string value(std::string_view text, std::string_view name, unsigned index = 0) {
  const ShellConfig config = parse_shell_config(text, "c");
  const ShellValue* found = config.find(name, index);
  return found ? found->text : "(absent)";
}

std::string error(std::string_view text) {
  try {
    parse_shell_config(text, "c");
  } catch (const ScenarioError& e) {
    return e.what();
  }
  return "";
}

TEST(ShellConfig, ReadsWordsAsAShellDoes) {
  EXPECT_EQ(value("A=1", "A"), "1");
  EXPECT_EQ(value("# A=2\nA=1 # 3\n", "A"), "1");
  EXPECT_EQ(value("A=\"a b\"", "A"), "a b");
  EXPECT_EQ(value("A='a\"b'", "A"), "a\"b");
  EXPECT_EQ(value("A=a\"b c\"'d'e", "A"), "ab cde");
  EXPECT_EQ(value("A=\"a\\\"b\\\\\\$c\\d\"", "A"), "a\"b\\$c\\d");
  EXPECT_EQ(value("A=a\\ b", "A"), "a b");
  EXPECT_EQ(value("A=a#b", "A"), "a#b");
  EXPECT_EQ(value("A=", "A"), "");
  EXPECT_EQ(value("A=\"a\\\nb\"", "A"), "ab");
  EXPECT_EQ(value("A=a\\\nb", "A"), "ab");
  EXPECT_EQ(value("A=1 B=2;C=3", "C"), "3");
  EXPECT_EQ(value("A=1\nA=2", "A"), "2") << "the last one counts";
  EXPECT_EQ(value("A=\"$ 5\"", "A"), "$ 5") << "a dollar before a blank is itself";
  EXPECT_EQ(value("A=1\r\nB=2\r\n", "B"), "2");
}

TEST(ShellConfig, ReadsArrays) {
  EXPECT_EQ(value("A[2]=x", "A", 2), "x");
  EXPECT_EQ(value("A[2]=x", "A", 0), "(absent)");
  EXPECT_EQ(value("A=x", "A", 0), "x");
  EXPECT_EQ(value("A=(x \"y z\" # no\n w)", "A", 1), "y z");
  EXPECT_EQ(value("A=(x \"y z\" # no\n w)", "A", 2), "w");
}

TEST(ShellConfig, KeepsWhereEachValueIs) {
  const ShellConfig config = parse_shell_config("A=1\n  B[3]=\"x\"\n", "c");
  EXPECT_EQ(config.find("B", 3)->line, 2u);
  EXPECT_EQ(config.find("B", 3)->column, 8u);
}

struct Refusal {
  const char* text;
  const char* message;
};
constexpr Refusal kRefusals[] = {
    {"A=$(rm x)", "c:1:3: a command substitution ($(...)) is refused"},
    {"A=\"`rm x`\"", "c:1:4: a command substitution (`...`) is refused"},
    {"\nA=\"x$B\"", "c:2:5: a variable ($NAME) is refused"},
    {"A=${B}", "c:1:3: a variable ($NAME) is refused"},
    {"A=$1", "c:1:3: a variable ($NAME) is refused"},
    {"A=$((1+1))", "c:1:3: an arithmetic expansion ($((...))) is refused"},
    {"A=$'x'", "c:1:3: a quote of the form $'...' is refused"},
    {"for i in 1 2; do A=1; done", "c:1:1: the shell keyword 'for' is refused"},
    {"while true; do :; done", "c:1:1: the shell keyword 'while' is refused"},
    {"if true; then A=1; fi", "c:1:1: the shell keyword 'if' is refused"},
    {"case x in esac", "c:1:1: the shell keyword 'case' is refused"},
    {"function f { A=1; }", "c:1:1: the shell keyword 'function' is refused"},
    {"f() { A=1; }", "c:1:1: the function 'f' is refused"},
    {"f () { A=1; }", "c:1:1: the function 'f' is refused"},
    {"A=1 | cat", "c:1:5: a pipe ('|') is refused"},
    {"A=1|cat", "c:1:4: a pipe ('|') is refused"},
    {"A=1 && B=2", "c:1:5: a list of commands ('&&') is refused"},
    {"A=1 || B=2", "c:1:5: a list of commands ('||') is refused"},
    {"A=1 &", "c:1:5: a background command ('&') is refused"},
    {"A=1 > f", "c:1:5: a redirection ('>') is refused"},
    {"A=<(ls)", "c:1:3: a process substitution is refused"},
    {"cat <<E\nE", "c:1:1: the command 'cat' is refused"},
    {"A=1 <<E", "c:1:5: a here-document ('<<') is refused"},
    {"(A=1)", "c:1:1: a subshell ('(') is refused"},
    {"((A=1))", "c:1:1: an arithmetic command ('((') is refused"},
    {"{ A=1; }", "c:1:1: '{' is refused"},
    {"! A=1", "c:1:1: '!' is refused"},
    {"[ 1 ]", "c:1:1: a test ('[') is refused"},
    {"A=1 rm -rf x", "c:1:5: the command 'rm' is refused"},
    {"A=1; eval x", "c:1:6: the command 'eval' is refused"},
    {". ./x", "c:1:1: the command '.' is refused"},
    {"./x", "c:1:1: the command './x' is refused"},
    {"export A=1", "c:1:1: the command 'export' is refused"},
    {"A+=1", "c:1:2: '+=' is refused"},
    {"A=~/x", "c:1:3: '~' (a home folder) is refused"},
    {"A=(*)", "c:1:4: a file pattern is refused"},
    {"A[i]=1", "c:1:3: an index must be a decimal number"},
    {"A[$i]=1", "c:1:3: a variable ($NAME) is refused"},
    {"A[1+1]=1", "c:1:3: an index must be a decimal number"},
    {"A[99999999999999999999]=1", "c:1:3: index 99999999999999999999 is beyond 999"},
    {"A[1]=(x)", "c:1:6: an array inside an array is refused"},
    {"A = 1", "c:1:1: no space may stand between 'A' and '='"},
    {"A=\"x", "c:1:3: this quote is not closed"},
    {"A='x\n", "c:1:3: this quote is not closed"},
    {"A=(x", "c:1:3: this array has no ')'"},
    {"A=x)", "c:1:4: this ')' closes nothing"},
    {"A=x\\", "c:1:5: nothing follows '\\'"},
    {";A=1", "c:1:1: this ';' ends nothing"},
    {"A=1;;", "c:1:5: this ';' ends nothing"},
    {"A=\x01", "c:1:3: control character 0x01"},
    {"1A=2", "c:1:1: the command '1A=2' is refused"},
};

TEST(ShellConfig, RefusesWhatWouldBeExecutedByName) {
  for (const Refusal& refusal : kRefusals) {
    EXPECT_EQ(error(refusal.text).substr(0, std::string_view(refusal.message).size()),
              refusal.message)
        << refusal.text;
  }
  EXPECT_EQ(error(std::string_view("A=\0b", 4)), "c:1:3: control character 0x00");
}

}  // namespace
}  // namespace trapline::plan
