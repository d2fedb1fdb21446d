terraform {
  # For `optional` and `precondition`. OpenTofu 1.6 and later have them too.
  required_version = ">= 1.3"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}
